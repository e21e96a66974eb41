import { gunzipSync, inflateSync } from "node:zlib";
import { KhuXanhError } from "../../core/errors.ts";
import type { DataMessage } from "../../core/wire/dataMessage.ts";
import {
  DataType,
  decodePayload,
  valueOf as metricValue,
  PAYLOAD_BYTES_MAX,
  type Payload,
  type PayloadHead,
} from "../../core/wire/payload.ts";

/** What a compressed payload calls itself (reference sparkplug §15). */
export const COMPRESSED_UUID = "SPBV1.0_COMPRESSED";
/** More than this, compressed into one byte, is a bomb and no payload. */
const RATIO_MAX = 200;

/**
 * The payload inside a compressed one; any other is given back as it is. Without a seq of its own the inner one has the
 * outer's.
 *
 * Limits   16 MiB and 200 times the compressed size, whichever is less
 * @throws {KhuXanhError} WIRE_MALFORMED for an algorithm we do not know or a body that is none, WIRE_TOO_LARGE beyond the limits.
 */
export function inflated(payload: Payload): Payload {
  if (payload.uuid !== COMPRESSED_UUID) return payload;
  const inner = decodePayload(inflate(payload));
  return inner.seq === undefined && payload.seq !== undefined ? { ...inner, seq: payload.seq } : inner;
}

/** As {@link inflated}, of a data message. */
export function openInflated(message: DataMessage, bytes: Uint8Array): PayloadHead {
  message.open(bytes);
  if (message.head.uuid === COMPRESSED_UUID) {
    const outer = message.payload();
    message.open(inflate(outer), outer);
  }
  return message.head;
}

function inflate({ body, metrics }: Payload): Uint8Array {
  if (body === undefined) throw malformed("without a body");
  const algorithm = metrics.find(({ name }) => name === "algorithm");
  const named = algorithm === undefined ? "DEFLATE" : metricValue(algorithm, DataType.String);
  const maxOutputLength = Math.min(PAYLOAD_BYTES_MAX, RATIO_MAX * body.length);
  try {
    if (named === "GZIP") return gunzipSync(body, { maxOutputLength });
    if (named === "DEFLATE") return inflateSync(body, { maxOutputLength });
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ERR_BUFFER_TOO_LARGE") {
      throw new KhuXanhError(
        "WIRE_TOO_LARGE",
        `a compressed payload of ${body.length} bytes inflates beyond its limit`,
        {
          hint: "Send fewer metrics in one message.",
          context: { bytes: body.length, maxOutputLength },
          cause,
        },
      );
    }
    throw malformed("whose body does not inflate", cause);
  }
  throw malformed(`by an algorithm we do not know: ${String(named).slice(0, 40)}`);
}

function malformed(what: string, cause?: unknown): KhuXanhError {
  return new KhuXanhError("WIRE_MALFORMED", `a compressed payload ${what}`, {
    hint: "Send it as GZIP or DEFLATE, or not compressed.",
    ...(cause === undefined ? {} : { cause }),
  });
}

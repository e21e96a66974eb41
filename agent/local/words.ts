/** States and failures of a gateway in words a person says, Vietnamese and English. Pure. */
import type { EpochMs, ExchangeFailure } from "../../core/reading/reading.ts";
import type { JournalStatus } from "../journal/journal.ts";
import type { Setting } from "../poll/settingsWatch.ts";
import { MAP_NOT_FOUND, ONE_LATE, UNUSABLE } from "../poll/words.ts";
import type { EdgeNodeStatus } from "../uplink/edgeNode.ts";
import type { Level } from "./expected.ts";
import { settingName } from "./settingNames.ts";
import { both, clockText, durationText, sentences, type Text } from "./text.ts";
import type { BusFacts, MeterFacts } from "./view.ts";

export interface StateWords {
  /** `idle`: nothing to judge yet. */
  readonly level: Level | "idle";
  readonly text: Text;
}

export interface Now {
  readonly now_ms: EpochMs;
  readonly timeZone: string;
}

export function meterWords(meter: MeterFacts, now: Now): StateWords {
  const { lastError, lastAnswer_ms, backoffUntil_ms } = meter;
  if (isNew(meter)) return { level: "idle", text: both("chưa hỏi lần nào", "not asked yet") };
  const kind = kindOf(lastError?.words ?? "");
  if (meter.definition === null && (meter.isAnswering || kind === "no-map")) {
    return {
      level: "watch",
      text: both(
        "chưa tìm thấy bản đồ SunSpec trên thiết bị, hỏi lại mỗi phút",
        "no SunSpec map found on the device yet, asked again every minute",
      ),
    };
  }
  if (meter.isAnswering) {
    const changed = lastChange(meter, now);
    if (changed !== null) return { level: "watch", text: changed };
    if (!meter.blocks.some(({ state }) => state === "set-aside")) {
      return { level: "ok", text: both("đang trả lời", "answering") };
    }
    return {
      level: "watch",
      text: both("đang trả lời, có thanh ghi phải bỏ qua", "answering, some registers are set aside"),
    };
  }
  const what = SILENT[kind];
  if (lastAnswer_ms === null) {
    const said = both(`${what.vi} từ khi agent chạy`, `${what.en} since the agent started`);
    return { level: "bad", text: withRetry(said, backoffUntil_ms, now) };
  }
  const since = clockText(lastAnswer_ms, now.now_ms, now.timeZone);
  const said = both(`${what.vi} từ ${since.vi}`, `${what.en} since ${since.en}`);
  return { level: "bad", text: withRetry(said, backoffUntil_ms, now) };
}

/** A change is on the meter's first line for as long as somebody may come back to look. */
const CHANGE_SHOWN_MS = 7 * 86_400_000;

function lastChange({ settings }: MeterFacts, now: Now): Text | null {
  const recent = settings.filter(({ before, since_ms }) => before !== null && now.now_ms - since_ms < CHANGE_SHOWN_MS);
  const last = recent.sort((a, b) => b.since_ms - a.since_ms)[0];
  return last === undefined ? null : changedText(last, now);
}

/** Another serial number is another meter; anything else somebody has set. null = never changed. */
export function changedText({ name, value, before, since_ms }: Setting, { now_ms, timeZone }: Now): Text | null {
  if (before === null) return null;
  const at = clockText(since_ms, now_ms, timeZone);
  if (name === "serial_number") {
    return both(
      `số máy đổi từ ${before} thành ${value} (${at.vi}): đã thay đồng hồ khác?`,
      `serial number changed from ${before} to ${value} (${at.en}): another meter?`,
    );
  }
  const label = settingName(name);
  const look = /^(ct|vt)_/.test(name)
    ? both("kiểm tra tỷ số CT, VT trên đồng hồ", "check CT and VT ratios on the meter")
    : both("kiểm tra cài đặt trên đồng hồ", "check the settings on the meter");
  return both(
    `${label.vi} đổi từ ${before} thành ${value} (${at.vi}): ${look.vi}`,
    `${label.en} changed from ${before} to ${value} (${at.en}): ${look.en}`,
  );
}

function isNew({ isAnswering, lastPollDuration_ms, lastError }: MeterFacts): boolean {
  return !isAnswering && lastPollDuration_ms === null && lastError === null;
}

/**
 * What the poller's words tell of; `no-map` is a device that answers and is no SunSpec device; `unusable` one that lacks what must
 * be read; `behind` one whose replies cannot be told from those to other questions.
 */
export type Failure = ExchangeFailure | "no-map" | "unusable" | "behind";

const SILENT: Readonly<Record<Failure, Text>> = {
  "no-map": both("chưa tìm thấy bản đồ SunSpec", "without a SunSpec map"),
  unusable: both("không dùng được", "not usable"),
  timeout: both("không trả lời", "not answering"),
  exception: both("từ chối mọi câu hỏi", "refusing every read"),
  garbled: both("trả lời hỏng", "answering garbage"),
  behind: both("trả lời lặp lại hoặc chậm một câu hỏi", "answering twice or one question late"),
  unreachable: both("không nối được", "unreachable"),
};

function withRetry(text: Text, at_ms: EpochMs | null, { now_ms }: Now): Text {
  if (at_ms === null || at_ms <= now_ms) return both(`${text.vi}, đang hỏi lại`, `${text.en}, being asked again`);
  const wait = durationText(at_ms - now_ms);
  return both(`${text.vi}, hỏi lại sau ${wait.vi}`, `${text.en}, asked again in ${wait.en}`);
}

/** Which failure the poller's words tell of: they begin with it. Looking for a map names it after the colon. */
export function kindOf(words: string): Failure {
  if (words.startsWith(MAP_NOT_FOUND)) {
    const why = words.slice(MAP_NOT_FOUND.length);
    return why === "timeout" || why === "garbled" || why === "unreachable" ? why : "no-map";
  }
  if (words.startsWith(UNUSABLE)) return "unusable";
  if (/^exception \d+/.test(words)) return "exception";
  if (words.startsWith("garbled")) return words.endsWith(ONE_LATE) ? "behind" : "garbled";
  return words.startsWith("not reachable") ? "unreachable" : "timeout";
}

/** Modbus Application Protocol V1.1b3 §7: what a refusal means to the one who configured the read. */
const EXCEPTIONS: Readonly<Record<number, Text>> = {
  1: both("thiết bị không có mã hàm này", "the device lacks this function code"),
  2: both("thiết bị không có địa chỉ này", "the device has no such address"),
  3: both("thiết bị không nhận số lượng thanh ghi này", "the device refuses this number of registers"),
  4: both("thiết bị báo lỗi bên trong", "the device reports a failure of its own"),
  5: both("thiết bị cần thêm thời gian", "the device needs more time"),
  6: both("thiết bị đang bận", "the device is busy"),
  10: both("bộ chuyển đổi không có đường tới thiết bị", "the gateway in between has no path to the device"),
  11: both(
    "thiết bị phía sau bộ chuyển đổi không trả lời: kiểm tra số unit và dây RS-485",
    "the device behind the gateway does not answer: check unit number and RS-485 wiring",
  ),
};

const FAILURES: Readonly<Record<Exclude<Failure, "exception" | "unusable">, Text>> = {
  "no-map": both(
    "không có bản đồ SunSpec cần tìm: bật SunSpec trên thiết bị, kiểm tra model và số unit",
    "not the SunSpec map that was looked for: switch SunSpec on at the device, check model and unit number",
  ),
  timeout: both(
    "hết giờ chờ mà không có trả lời: kiểm tra nguồn, dây, số unit, tốc độ",
    "no answer in time: check power, wiring, unit number and speed",
  ),
  garbled: both(
    "trả lời sai định dạng: nhiễu, thiếu điện trở đầu cuối, hoặc có master thứ hai",
    "a broken reply: noise, missing termination, or a second master",
  ),
  behind: both(
    "trả lời đến hai lần hoặc chậm một câu hỏi nên không được dùng: bộ chuyển đổi giữ lại hoặc lặp lại gói tin; khởi động lại nó, tăng thời gian chờ",
    "replies come twice or one question late, so none is used: a converter holds frames back or repeats them; restart it, or set a longer timeout",
  ),
  unreachable: both(
    "không mở được kết nối: kiểm tra địa chỉ, cáp mạng hoặc cổng nối tiếp",
    "the connection cannot be opened: check address, network cable or serial port",
  ),
};

const SILENT_BLOCK = both(
  "thiết bị im lặng khi hỏi khối này, các khối khác vẫn trả lời",
  "the device keeps silent about this block and answers the others",
);

/** The last failure with what to do about it: "10:42: thiết bị không có địa chỉ này (mã 2)." */
export function errorText({ words, at_ms }: { readonly words: string; readonly at_ms: EpochMs }, now: Now): Text {
  const why = failureText(words);
  const at = clockText(at_ms, now.now_ms, now.timeZone);
  return both(`${at.vi}: ${why.vi}.`, `${at.en}: ${why.en}.`);
}

/** The last failure of a meter that answers again: what it was, without advice. */
export function pastErrorText({ words, at_ms }: { readonly words: string; readonly at_ms: EpochMs }, now: Now): Text {
  const kind = kindOf(words);
  const what = kind === "exception" ? failureText(words) : SILENT[kind];
  const at = clockText(at_ms, now.now_ms, now.timeZone);
  return both(`${at.vi}: ${what.vi}; nay đã trả lời.`, `${at.en}: ${what.en}; it answers now.`);
}

export function setAsideText(
  { why, retryAt_ms }: { readonly why: string; readonly retryAt_ms: EpochMs },
  now: Now,
): Text {
  const said = failureText(why);
  const wait = durationText(retryAt_ms - now.now_ms);
  return both(`${said.vi}; thử lại sau ${wait.vi}.`, `${said.en}; tried again in ${wait.en}.`);
}

function failureText(words: string): Text {
  if (words.startsWith("no answer to this block")) return SILENT_BLOCK;
  const kind = kindOf(words);
  if (kind === "unusable") {
    const why = words.slice(UNUSABLE.length);
    return both(
      `thiết bị trả lời nhưng không dùng được (${why}): kiểm tra model, carrier và số unit`,
      `the device answers and cannot be used (${why}): check model, carrier and unit number`,
    );
  }
  if (kind !== "exception") return FAILURES[kind];
  const code = Number(/^exception (\d+)/.exec(words)?.[1]);
  const said = EXCEPTIONS[code] ?? both("thiết bị từ chối", "the device refuses");
  return both(`${said.vi} (mã ${code})`, `${said.en} (code ${code})`);
}

/** A line that has less time to spare than this and leaves polls out does so because too much is asked of it. */
const NEARLY = 0.8;

export function busWords(
  { needed_ms, available_ms, overruns, isOverloaded, meters, backoffUntil_ms }: BusFacts,
  now: Now,
): StateWords {
  if (backoffUntil_ms !== null) {
    const said = both("không nối được, kiểm tra địa chỉ và cáp", "unreachable, check address and cable");
    return { level: "bad", text: withRetry(said, backoffUntil_ms, now) };
  }
  if (meters.every(isNew)) return { level: "idle", text: both("chưa bắt đầu", "not begun") };
  const silent = meters.filter((meter) => !meter.isAnswering && !isNew(meter)).length;
  if (silent === meters.length) {
    return { level: "bad", text: both("không đồng hồ nào trả lời", "no meter answers") };
  }
  if (needed_ms > available_ms * (isOverloaded ? NEARLY : 1)) {
    return {
      level: "bad",
      text: both(
        "quá tải: hỏi thưa hơn, hoặc chia đồng hồ sang bus khác",
        "overloaded: poll less often, or move meters to another bus",
      ),
    };
  }
  if (isOverloaded) {
    return {
      level: "watch",
      text: both(
        "lỡ nhịp trong phút vừa qua dù đường truyền còn rảnh: máy này bận, hoặc một đồng hồ trả lời chậm",
        "missed beats in the last minute, though the line has time: this machine was busy, or a meter slow",
      ),
    };
  }
  if (silent > 0) {
    return {
      level: "watch",
      text: both(`${silent} trong ${meters.length} đồng hồ im lặng`, `${silent} of ${meters.length} meters silent`),
    };
  }
  return overruns > 0
    ? { level: "ok", text: both("hoạt động, từng có lúc lỡ nhịp", "working, has missed beats before") }
    : { level: "ok", text: both("hoạt động tốt", "working") };
}

export function uplinkWords(
  { state, sent }: Pick<EdgeNodeStatus, "state" | "sent">,
  { unconfirmed, oldestUnconfirmed_ms }: Pick<JournalStatus, "unconfirmed" | "oldestUnconfirmed_ms">,
  { now_ms }: Pick<Now, "now_ms">,
): StateWords {
  const waiting = waitingText(unconfirmed, oldestUnconfirmed_ms, now_ms);
  switch (state) {
    case "born":
      return isBehind(oldestUnconfirmed_ms, now_ms) && sent > 0
        ? { level: "watch", text: sentences(both("Đã nối, đang gửi bù.", "Connected, catching up."), waiting) }
        : { level: "ok", text: sentences(both("Đã nối với trung tâm.", "Connected to the zone."), waiting) };
    case "waiting-for-host":
      return {
        level: "watch",
        text: sentences(
          both("Đã nối broker, đang chờ máy chủ của khu.", "Connected to the broker, waiting for the zone's server."),
          waiting,
        ),
      };
    case "connecting":
      return {
        level: "watch",
        text: sentences(
          both("Chưa nối được broker; số đọc được giữ tại đây.", "No broker yet; readings are kept here."),
          waiting,
        ),
      };
    case "stopped":
      return { level: "bad", text: both("Đã dừng gửi.", "Sending has stopped.") };
  }
}

/** A batch is confirmed within seconds while the line is good. */
const BEHIND_AFTER_MS = 60_000;

function isBehind(oldest_ms: EpochMs | null, now_ms: EpochMs): boolean {
  return oldest_ms !== null && now_ms - oldest_ms > BEHIND_AFTER_MS;
}

function waitingText(unconfirmed: number, oldest_ms: EpochMs | null, now_ms: EpochMs): Text {
  if (unconfirmed === 0 || oldest_ms === null) return both("Mọi gói đã được xác nhận.", "Every batch is confirmed.");
  const age = durationText(now_ms - oldest_ms);
  return both(
    `${unconfirmed} gói chờ xác nhận, gói cũ nhất ${age.vi} trước.`,
    `${unconfirmed} ${unconfirmed === 1 ? "batch" : "batches"} unconfirmed, the oldest ${age.en} ago.`,
  );
}

/** What the journal says of itself, the worst first: it cannot write, it gives way, it will, it found damage. */
export function journalWords({
  isWritable,
  isBeyondBound,
  isBacklogAlarming,
  gaveWay,
  lost,
  setAside,
}: Pick<
  JournalStatus,
  "isWritable" | "isBeyondBound" | "isBacklogAlarming" | "gaveWay" | "lost" | "setAside"
>): StateWords {
  const loss = lost === 0 ? null : both(`Đã mất ${lost} gói, có ghi lại.`, `${lost} lost so far, each on record.`);
  const said = (level: StateWords["level"], text: Text): StateWords => ({
    level,
    text: loss === null ? text : sentences(text, loss),
  });
  if (!isWritable) {
    return said(
      "bad",
      both(
        "Không ghi được đĩa: số đọc đang nằm trong bộ nhớ. Hãy giải phóng hoặc kiểm tra đĩa.",
        "The disk cannot be written: readings wait in memory. Free or check the disk.",
      ),
    );
  }
  if (isBeyondBound) {
    return said(
      "bad",
      both(
        "Vượt giới hạn và không còn gì để bớt. Cần nối lại với trung tâm.",
        "Beyond its bound with nothing left to give way. Get the uplink back.",
      ),
    );
  }
  if (isBacklogAlarming) {
    const hasThinned = gaveWay !== null && gaveWay !== "history";
    return said(
      hasThinned ? "bad" : "watch",
      hasThinned
        ? both(
            "Số chưa gửi quá nhiều: đang bớt dần số đo tức thời, số điện năng vẫn đủ. Cần nối lại với trung tâm.",
            "Too much is unsent: readings are being thinned, the energy stays whole. Get the uplink back.",
          )
        : both(
            "Số chưa gửi đã chiếm hơn nửa chỗ. Cần nối lại với trung tâm trước khi phải bớt số đo.",
            "What is unsent fills more than half of the room. Get the uplink back before readings give way.",
          ),
    );
  }
  if (setAside.length > 0) {
    return said(
      "watch",
      both(
        `${setAside.length} tệp bị hỏng đã để riêng; phần còn tốt đã được cứu.`,
        `${setAside.length} damaged ${setAside.length === 1 ? "file" : "files"} set aside; what was sound is saved.`,
      ),
    );
  }
  return said("ok", both("Ghi bình thường.", "Recording."));
}

import { spawnSync } from "node:child_process";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isRequired, pathOf } from "../services.ts";

/** Real certificates, made by openssl when a test needs them and valid for a day or as long as it says. */
export interface Certificate {
  readonly cert_file: string;
  readonly key_file: string;
}

export interface Authority {
  readonly ca_file: string;
  /** For `localhost` and 127.0.0.1, as a broker and as a client. The files are written in place if they are there. */
  issue(commonName: string, options?: { readonly days?: number; readonly file?: string }): Certificate;
}

const program = pathOf("openssl");
export const withoutOpenssl = program === null && !isRequired;

let serial = 0;

export function authority(dir: string, name = "ca"): Authority {
  const ca = { cert_file: join(dir, `${name}.pem`), key_file: join(dir, `${name}.key`) };
  openssl(
    "req",
    "-x509",
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:prime256v1",
    "-nodes",
    "-days",
    "2",
    "-subj",
    `/CN=${name}`,
    "-keyout",
    ca.key_file,
    "-out",
    ca.cert_file,
  );
  return {
    ca_file: ca.cert_file,
    issue(commonName, { days = 1, file = commonName } = {}) {
      const made = { cert_file: join(dir, `${file}.pem`), key_file: join(dir, `${file}.key`) };
      const request = join(dir, `${file}.csr`);
      const extensions = join(dir, `${file}.ext`);
      writeFileSync(extensions, "subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n");
      openssl(
        "req",
        "-new",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-subj",
        `/CN=${commonName}`,
        "-keyout",
        made.key_file,
        "-out",
        request,
      );
      serial += 1;
      openssl(
        "x509",
        "-req",
        "-in",
        request,
        "-CA",
        ca.cert_file,
        "-CAkey",
        ca.key_file,
        "-set_serial",
        String(serial),
        "-days",
        String(days),
        "-extfile",
        extensions,
        "-out",
        made.cert_file,
      );
      chmodSync(made.key_file, 0o600);
      return made;
    },
  };
}

function openssl(...args: string[]): void {
  const { status, stderr } = spawnSync(program ?? "openssl", args, { encoding: "utf8", timeout: 20_000 });
  if (status !== 0) throw new Error(`openssl ${args[0]} failed: ${stderr}`);
}

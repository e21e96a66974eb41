import modbusSerial from "modbus-serial";

/** A serial line opened for bytes. What is heard goes to nobody before `on("data")` is called. */
export interface SerialStream {
  on(event: "data", heard: (bytes: Buffer) => void): unknown;
  on(event: "error", failed: (error: Error) => void): unknown;
  on(event: "close", closed: () => void): unknown;
  removeAllListeners(event: "data"): unknown;
  write(bytes: Uint8Array): unknown;
  close(done: () => void): void;
  readonly isOpen: boolean;
}

export interface SerialSettings {
  readonly path: string;
  readonly baud: number;
  readonly parity: "none" | "even" | "odd";
  readonly stop_bits: 1 | 2;
}

/**
 * Serial data is only delivered when something else wakes the event loop (Node ≥ 26.4 with bindings-cpp 13: serialport/
 * bindings-cpp pull request 239, node-serialport issue 3148), so a tick runs while a serial line is listened to. At 9600 baud
 * five milliseconds are five characters.
 */
export const SERIAL_TICK_MS = 5;

const ModbusRTU = modbusSerial.default;

/**
 * Opens a device file with the `serialport` that `modbus-serial` brings along; the device is this process's alone.
 * @throws what the library says: no such device, no permission, held by another program
 */
export async function openSerialStream({ path, baud, parity, stop_bits }: SerialSettings): Promise<SerialStream> {
  const opener = new ModbusRTU();
  opener.on("error", () => {});
  await opener.connectRTUBuffered(path, { baudRate: baud, parity, stopBits: stop_bits, dataBits: 8 });
  // No public way leads to the serial port under the client; the library's version is pinned. Its bytes come to our port only.
  const stream = (opener as unknown as { readonly _port: { readonly _client: SerialStream } })._port._client;
  stream.removeAllListeners("data");
  return stream;
}

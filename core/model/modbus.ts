/** Registers one read may have. Source: MODBUS Application Protocol V1.1b3 §6.3, §6.4. */
export const READ_MAX = 125;
/** Registers of a function code there are: addresses are of 16 bits. Source: the same, §4.4. */
export const ADDRESSES = 65_536;

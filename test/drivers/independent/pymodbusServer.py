"""Modbus TCP server of pymodbus: reads {"port": …, "holding": {address: word}, "input": {…}} from standard input.

Unit 17 answers, others do not. Prints "ready" when the port is open.
"""
import asyncio
import json
import sys

from pymodbus.datastore import ModbusServerContext, ModbusSlaveContext, ModbusSparseDataBlock
from pymodbus.server.async_io import ModbusTcpServer


def block(words):
    # A block may not be empty; 65535 is used by no test.
    return ModbusSparseDataBlock({int(address): word for address, word in words.items()} or {65535: 0})


async def main():
    image = json.loads(sys.stdin.readline())
    unit = ModbusSlaveContext(hr=block(image["holding"]), ir=block(image["input"]), zero_mode=True)
    server = ModbusTcpServer(ModbusServerContext(slaves={17: unit}, single=False), address=("127.0.0.1", image["port"]))
    serving = asyncio.ensure_future(server.serve_forever())
    await server.serving
    print("ready", flush=True)
    await serving


asyncio.run(main())

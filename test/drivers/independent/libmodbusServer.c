/* Modbus TCP server of libmodbus: reads lines "fc address word" from standard input up to "end", port in argv[1].
   Prints "ready" when the port is open; serves one connection after the other, every unit. */
#include <modbus/modbus.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
  if (argc < 2) return 2;
  modbus_t *context = modbus_new_tcp("127.0.0.1", atoi(argv[1]));
  modbus_mapping_t *map = modbus_mapping_new(0, 0, 65536, 65536);
  if (context == NULL || map == NULL) return 1;
  int fc, address, word;
  while (scanf("%d %d %d", &fc, &address, &word) == 3) {
    (fc == 3 ? map->tab_registers : map->tab_input_registers)[address] = (uint16_t)word;
  }
  int listener = modbus_tcp_listen(context, 1);
  if (listener < 0) return 1;
  puts("ready");
  fflush(stdout);
  for (;;) {
    if (modbus_tcp_accept(context, &listener) < 0) return 1;
    uint8_t query[MODBUS_TCP_MAX_ADU_LENGTH];
    int size;
    while ((size = modbus_receive(context, query)) >= 0) {
      if (size > 0 && modbus_reply(context, query, size, map) < 0) break;
    }
    modbus_close(context);
  }
}

"""What a stack writes about its sockets into the file that its statistics variable names."""

LINE = "=" * 54
FILE = f"""{LINE}
\tFd=[12]
- TCP, Blocked
- Local Address   = [192.168.1.5:11111]
- Thread Id Rx:  4711, Tx:  4711
Tx Offload: 976 / 1000 / 0 / 0 [kilobytes/packets/eagains/errors]
Rx Offload: 975 / 998 / 3 / 1 [kilobytes/packets/eagains/errors]
Rx OS info: 0 / 2 / 0 / 0 [kilobytes/packets/eagains/errors]
Rx byte: cur 0 / max 64 / dropped 128 / limit 65536
Rx pkt : cur 0 / max 1 / dropped 2
Rx poll: 50 / 950 (95.00%) [miss/hit]
Ring migrations Rx: 1, Tx: 0
Retransmissions: 7
{LINE}
\tFd=[13]
- UDP, Non-blocked, MC Loop Enabled
Rx and Tx where not active
"""

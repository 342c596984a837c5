"""A consumer in another language: reads the changes of a table from JetStream and prints them as JSON lines.

Only Python's own library and python3-protobuf. NATS speaks lines of text over a socket: CONNECT, SUB, PUB, and HMSG for
a message with headers. Arguments: port, stream, subject, directory and module of the generated protobuf code, name of
the changes message, number of messages to read.
"""

import importlib
import json
import socket
import sys

port, stream, subject, directory, module, message_name, count = sys.argv[1:]
sys.path.insert(0, directory)
Changes = getattr(importlib.import_module(module), message_name)

connection = socket.create_connection(("127.0.0.1", int(port)))
lines = connection.makefile("rb")


def send(text):
    connection.sendall(text.encode() + b"\r\n")


def next_message():
    """Subject, headers and payload of the next message."""
    while True:
        words = lines.readline().decode().split()
        if not words:
            raise EOFError("nats-server closed the connection")
        if words[0] == "PING":
            send("PONG")
        elif words[0] == "MSG":
            payload = lines.read(int(words[-1]) + 2)[:-2]
            return words[1], {}, payload
        elif words[0] == "HMSG":
            header_bytes, all_bytes = int(words[-2]), int(words[-1])
            content = lines.read(all_bytes + 2)[:-2]
            fields = {}
            for line in content[:header_bytes].decode().split("\r\n")[1:]:
                name, colon, value = line.partition(":")
                if colon:
                    fields[name] = value.strip()
            return words[1], fields, content[header_bytes:]


lines.readline()  # INFO
send('CONNECT {"verbose":false,"headers":true,"no_responders":true}')
send("SUB answers 1")
send("SUB changes 2")
consumer = {
    "stream_name": stream,
    "config": {
        "deliver_subject": "changes",
        "filter_subject": subject,
        "deliver_policy": "all",
        "ack_policy": "none",
    },
}
body = json.dumps(consumer)
send(f"PUB $JS.API.CONSUMER.CREATE.{stream} answers {len(body)}\r\n{body}")

read = 0
while read < int(count):
    heard, fields, payload = next_message()
    if "Replog-Kind" not in fields:
        answer = json.loads(payload)
        if "error" in answer:
            raise SystemExit(answer["error"]["description"])
        continue
    changes = Changes.FromString(payload)

    def row_of(image):
        return {field.name: value for field, value in image.ListFields()}

    print(
        json.dumps(
            {
                "subject": heard,
                "kind": fields["Replog-Kind"],
                "position": fields["Replog-Last"].split("/")[0],
                "version": fields["Replog-Table-Version"],
                "rows": [
                    {
                        name: row_of(getattr(row, name))
                        for name in ("key", "before", "after")
                        if row.HasField(name)
                    }
                    for row in changes.rows
                ],
            }
        ),
        flush=True,
    )
    read += 1

"""Prints every breach that Alertmanager tells of, once when it opens and once when it ends."""

import json
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

told = set()


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        for alert in body["alerts"]:
            labels, notes = alert["labels"], alert["annotations"]
            key = notes.get("breach_id", alert["fingerprint"]), alert["status"]
            if key not in told:  # Alertmanager repeats itself: the id tells
                told.add(key)
                print(*key, labels["alertname"], labels.get("maker", "-"), notes["summary"])
        self.send_response(200)
        self.end_headers()

    def log_message(self, format, *args):
        pass


sys.stdout.reconfigure(line_buffering=True)
HTTPServer((sys.argv[1], int(sys.argv[2])), Handler).serve_forever()

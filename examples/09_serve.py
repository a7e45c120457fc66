"""The model behind HTTP, on this machine alone: start the server, ask it, stop it. Any language can ask."""

import json
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request

model = sys.argv[1] if len(sys.argv) > 1 else "qm9"
command = [sys.executable, "-m", "molscore", "serve", "--port", "0", "--workers", "1", "--model", model]


def post(url: str, body: object) -> dict:
    """The server's answer, a refusal included."""
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    try:
        return json.load(urllib.request.urlopen(request))
    except urllib.error.HTTPError as refusal:
        return {"refused": refusal.code, **json.load(refusal)}


with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
    url = re.search(r"http://[\d.:]+", server.stderr.readline())[0]
    print("elements:", *json.load(urllib.request.urlopen(f"{url}/info"))["elements"])
    water = {"numbers": [8, 1, 1], "positions": [[0, 0, 0.12], [0.76, 0, -0.48], [-0.76, 0, -0.48]]}
    for row in post(f"{url}/log-likelihood", {"molecules": ["CCO", "C1CC", water]})["rows"]:
        print(f"{row['status']:12} {row['log_likelihood']} {row['error']}")
    for candidate in post(f"{url}/generate", {"n": 2, "steps": 20, "formula": "C2H6O"})["candidates"]:
        print("drawn:", candidate["formula"], candidate["smiles"] or "-", candidate["verdict"])
    print(post(f"{url}/generate", {"formula": "C1H9"}))
    query = {"input_string": "CCO", "query_id": "0"}
    print(post(f"{url}/reinvent?predictor_id=percentile&predictor_version=1&inp_fmt=smiles", [query]))
    server.send_signal(signal.SIGTERM)
    print(server.communicate()[1].strip())

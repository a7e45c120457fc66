"""What REINVENT4 sees: its `ExternalProcess` component runs a program, gives it SMILES and reads numbers.

Run by itself this script prints the lines for REINVENT4's configuration, then does what REINVENT4 would do.
"""

import json
import shlex
import shutil
import subprocess
import sys

import numpy as np

model = sys.argv[1] if len(sys.argv) > 1 else "qm9"
arguments = f"-m molscore reinvent --model {shlex.quote(model)} --workers 1"
print(f"""[[stage.scoring.component]]
[stage.scoring.component.ExternalProcess]
[[stage.scoring.component.ExternalProcess.endpoint]]
name = "molscore percentile"
weight = 0.5
params.executable = {json.dumps(shutil.which(sys.executable))}
params.args = {json.dumps(arguments)}
params.property = "predictions"
transform.type = "sigmoid"
transform.low = 5.0
transform.high = 50.0
transform.k = 0.5
""")

smiles = ["CCO", "C1CC", "CC(C)=O", "ClCCl"]
result = subprocess.run(
    [sys.executable, *shlex.split(arguments)], input="\n".join(smiles), capture_output=True, text=True, check=True
)
payload = json.loads(result.stdout)["payload"]
for text, value, status in zip(smiles, np.array(payload["predictions"]), payload["status"], strict=True):
    print(f"{text:10} {value:8.2f} {status}")

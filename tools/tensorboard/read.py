#!/usr/bin/env python3
"""Reads an event file with TensorBoard and records the file with the scalars in it, for a test of the writer.

    python3 tools/tensorboard/read.py FILE test/unit/track/tensorboard.json    (needs: pip install tensorboard)
"""

import base64
import json
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util import tensor_util

source, target = sys.argv[1:3]
events = EventAccumulator(source)
events.Reload()
scalars = {tag: [[e.step, e.value] for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}
for tag in events.Tags()["tensors"]:
    scalars[tag] = [[e.step, float(tensor_util.make_ndarray(e.tensor_proto))] for e in events.Tensors(tag)]
with open(source, "rb") as file:
    data = base64.b64encode(file.read()).decode()
with open(target, "w") as file:
    json.dump({"file": data, "scalars": scalars}, file, indent=2)
    file.write("\n")

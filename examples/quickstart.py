"""From noise to digits in a few lines: train, look at the progress, draw sevens.

Run it with: python examples/quickstart.py [images] (150000 by default: some minutes on two CPU cores)
"""

import sys

import ganvas

images = int(sys.argv[1]) if len(sys.argv) > 1 else 150_000

run = ganvas.fit("mnist", run="runs/quickstart", images=images)
sevens = run.model.sample(16, classes=7, seed=0)  # a tensor, float [16, 1, 28, 28] in [-1, 1]
sevens.save("sevens.png")
print("sixteen sevens: sevens.png; the training as a page:", run.report)

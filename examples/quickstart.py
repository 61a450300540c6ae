"""From noise to digits in a few lines: train, look at the figures, draw sevens.

Run it with: python examples/quickstart.py [images] (150000 by default: some minutes on two CPU cores)
"""

import sys

from PIL import Image

import ganvas

images = int(sys.argv[1]) if len(sys.argv) > 1 else 150_000

for event in ganvas.train("mnist", run="runs/quickstart", images=images):
    match event:
        case ganvas.Logged(seen, row):
            print(f"{seen:>8,} images  Loss_D {row['loss_d']:.3f}  Loss_G {row['loss_g']:.3f}")
        case ganvas.Sampled(seen, path):
            print(f"{seen:>8,} images  {path}")

model = ganvas.load("runs/quickstart")
sevens = model.sample(n=16, classes=7, seed=0)  # float [16, 1, 28, 28] in [-1, 1]
row = sevens.squeeze(1).permute(1, 0, 2).reshape(28, -1)
Image.fromarray(((row + 1) * 127.5).byte().numpy()).save("sevens.png")
print("sixteen sevens: sevens.png")

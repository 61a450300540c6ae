"""Make old.jpg of temple.jpg: a grey, worn and grainy print of it."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from ganvas.tasks.restore import degrade

HERE = Path(__file__).parent
DAMAGE = "scratches:10,spots:25,blur:0.6,grain:14,jpeg:70"

photo = Image.open(HERE / "temple.jpg").convert("L").convert("RGB")
clean = torch.from_numpy(np.array(photo)).permute(2, 0, 1)[None].float() / 127.5 - 1
random = torch.Generator().manual_seed(3)
worn = degrade.apply(degrade.parse(DAMAGE), clean, lambda draw, *shape: draw(1, *shape, generator=random))
levels = worn[0].add(1).mul(127.5).round().byte().permute(1, 2, 0).numpy()
Image.fromarray(levels).save(HERE / "old.jpg", quality=90)

"""Writes eye_reference.npz: torchvision's own forward pass on the pictures of tests/domains/test_eye.py.

    python tests/data/eye_reference.py WEIGHTS PICTURES OUT     with torch and torchvision, e.g. Debian's python3-torchvision

PICTURES is an .npy file of these pictures, [20, 64, 64, 3] in 0..1: this script imports nothing of the project.
"""

import sys

import numpy as np
import torch
import torchvision

weights, pictures, out = sys.argv[1:]
network = torchvision.models.mobilenet_v2(weights=None)
network.load_state_dict(torch.load(weights))
network.eval()
image = torch.from_numpy(np.load(pictures).astype(np.float32)).permute(0, 3, 1, 2)
image = torchvision.transforms.functional.normalize(image, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
with torch.no_grad():
    features = network.features(image).mean([2, 3])
    classes = network.classifier(features).softmax(1)
np.savez_compressed(out, features=features.numpy().astype(np.float32), classes=classes.numpy().astype(np.float32))

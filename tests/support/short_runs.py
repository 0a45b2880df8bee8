"""Short runs whose bits are known, on few letters: `python -m tests.support.short_runs` prints the digests of all.

Each takes three steps: two whole batches of four micro-batches, and one of a whole micro-batch and half of one. Names
after it choose some of them. GRADSUM_BACKEND says which kernels compute.
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import engine
from engine.checkpoint import load, state_sha256
from engine.data.letters import letters

STEPS = 3
# Small enough for the exact kernels: every layer that the built-in networks but resnet8 and vgg7 do without.
LAYERS = engine.Model(
    (
        engine.Conv2d(4, (5, 4), (4, 3), "same", bias=False),
        engine.GroupNorm(2),
        engine.Silu(),
        engine.Residual(
            [engine.Conv2d(4, padding="same"), engine.LeakyRelu(), engine.LayerNorm()], engine.Conv2d(4, 1)
        ),
        engine.Softplus(),
        engine.AvgPool2d(3),
        engine.Residual([engine.Tanh(), engine.Conv2d(4, 2, padding="same")]),
        engine.Sigmoid(),
        engine.GlobalAvgPool(),
        engine.Dense(26),
    )
)
BLOCKS = engine.Model(  # kernels that are cut into blocks of 3 x 3
    (
        engine.Conv2d(8, (3, 4), (3, 2), "same"),
        engine.Conv2d(9, 5, padding="same", bias=False),
        engine.Relu(),
        engine.Residual([engine.Conv2d(9, (2, 6), padding="same")]),
        engine.Conv2d(8, (3, 5), padding=1),
        engine.GlobalAvgPool(),
        engine.Dense(26),
    )
)
RUNS: dict[str, dict[str, Any]] = {
    "letters": {},
    "sgd": {"optimizer": "sgd"},
    "momentum": {"optimizer": "momentum"},
    "dropout": {"dropout": 0.5},
    "augmentation": {"augment": True},
    "mlp": {"model": "mlp"},
    "lenet": {"model": "lenet"},
    "layers": {"model": LAYERS},
    "blocks": {"model": BLOCKS},
    "resnet8": {"model": "resnet8"},
    "vgg7": {"model": "vgg7"},
}
# Of parameters and optimizer's state, with compiled and with exact kernels, on every processor.
DIGESTS = {
    "letters": "87f3cd9eeabdccd68f77cc8bb5a2ed2d08dae19e4b9bcc0c50ebc29e897df006",
    "sgd": "64acf859039fddd0526e91007643127c2bd4727c068c8b6a5c304cd102735238",
    "momentum": "890f2f61d19da8f9e2c2e162db2a1372ad202cb113435ea10b3386b24dc1eecf",
    "dropout": "c9a7fbc187196cc97e06dc08fdda7d2c0b87a877025044e2fdd03ab0c2ecfbad",
    "augmentation": "0e8e50a1c3d777c2f7e32c8a314bf833f79275ae0b20bd96e222ee60cd4e4ef3",
    "mlp": "e5beb4498150faf38095aa39b563cdf853b2e0b81513b685ab45114533968c6a",
    "lenet": "f9091b096fbc6e744e6114a89223ff22fdd0dc7f723db920fc84c62c66c4f1b4",
    "layers": "2a356aaa2989edfa7835ae939901ad8386c6ad621c3365860542872c25d44e94",
    "blocks": "fa9868e32864fa808c4534e45fed969913e6d93aadfad35cbfb24273b7137f7b",
    "resnet8": "932e825340aa1c70534760683670e57829cb80516577aa6b699b88c83675afcc",
    "vgg7": "fd3f0a4fbe74b7eb8045b4e1a7b4ac8c510e7a1425fd573e01a736115457d775",
}


def train(name: str, folder: Path, **more: Any) -> engine.Result:
    """Carry out a run, with checkpoints and records in `folder`."""
    options: dict[str, Any] = {"model": "letters", "workers": 0, "db": folder / "r.db", "out": folder / "out"}
    options |= {"batch_size": 32, "microbatch": 8, "steps": STEPS}
    options |= {"snapshot_first": 0, "snapshot_every": 0, "statistics_every": 0}
    return engine.train(data=letters(train=76, test=8, seed=7), **options | RUNS[name] | more)


def digest(name: str, **more: Any) -> str:
    """Return the digest of what a run ends with."""
    with tempfile.TemporaryDirectory(prefix="gradsum-test-") as folder:
        found = load(train(name, Path(folder), **more).checkpoint)
    return state_sha256(found.parameters, found.optimizer)


if __name__ == "__main__":
    print(json.dumps({name: digest(name) for name in sys.argv[1:] or RUNS}))

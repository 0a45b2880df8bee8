"""Finds the name that was probably meant: a misspelt one, a former one, or what other programs call the same thing."""

from collections.abc import Iterable
from difflib import get_close_matches

FORMER_NAMES = {"mailbox": "shared_memory"}  # of settings: in records, checkpoints, files and commands of old versions
# What other programs call our options; a name may stand for several, of which a command has one.
OTHER_NAMES = {
    "data": "dataset data-dir data-path datadir train-data",
    "model": "network net arch architecture model-name model-path",
    "lr": "learning-rate learningrate lr-rate base-lr initial-lr eta step-size",
    "optimizer": "optim opt solver",
    "weight-decay": "wd l2 decay l2-regularization",
    "clip-norm": "clip grad-clip gradient-clip clip-grad clip-grad-norm max-grad-norm gradient-clip-val clipnorm",
    "momentum": "mu",
    "alpha": "rho",
    "beta1": "adam-beta1",
    "beta2": "adam-beta2",
    "epsilon": "eps adam-epsilon",
    "schedule": "lr-schedule scheduler lr-scheduler lr-scheduler-type lr-policy",
    "warmup": "warmup-steps lr-warmup warm-up num-warmup-steps",
    "min-lr": "lr-min eta-min end-lr final-lr",
    "decay-every": "lr-step lr-step-size",
    "decay-factor": "gamma lr-gamma lr-decay",
    "plateau": "reduce-on-plateau reduce-lr-on-plateau lr-patience",
    "freeze": "frozen freeze-layers",
    "from": "pretrained init-from init initial-weights finetune fine-tune pretrained-model",
    "label-smoothing": "smoothing label-smoothing-factor",
    "class-weights": "class-weight weights loss-weights",
    "batch-size": "bs batch train-batch-size mini-batch-size minibatch-size per-device-train-batch-size",
    "microbatch": "micro-batch-size",
    "dropout": "dropout-rate drop-rate p-drop",
    "augment": "augmentation data-augmentation",
    "seed": "random-seed random-state manual-seed",
    "epochs": "epoch-count num-epochs n-epochs max-epochs nb-epoch num-train-epochs",
    "steps": "max-steps num-steps step-count iterations iters max-iters",
    "time-limit": "timeout max-time max-seconds",
    "target": "target-accuracy target-acc goal",
    "patience": "timeout early-stopping early-stop early-stopping-patience",
    "workers": "num-workers n-workers worker-count processes num-processes nproc nproc-per-node world-size jobs np",
    "processes": "workers num-workers n-workers worker-count num-processes nproc nproc-per-node jobs np",
    "kernels": "backend kernel device",
    "bind": "listen host address master-addr rdzv-endpoint",
    "out": "output output-dir out-dir save-dir checkpoint-dir save-path",
    "db": "database sqlite",
    "name": "run-name experiment experiment-name title",
    "resume": "checkpoint ckpt restore resume-from resume-from-checkpoint load",
    "validate-every": "eval-every eval-interval val-interval validation-interval eval-steps",
    "checkpoint-every": "save-every save-interval save-steps checkpoint-interval",
    "config": "config-file conf cfg settings",
    "quiet": "silent no-progress",
    "trials": "num-trials n-trials trial-count",
}


def closest(word: str, names: Iterable[str]) -> str | None:
    """Return the one of `names` that `word` probably means; with or without dashes in front, - and _ are the same."""
    plain = _plain(word)
    known = {_plain(name): name for name in names}
    if plain in known:
        return known[plain]
    for name, others in OTHER_NAMES.items():
        if name in known and plain in others.split():
            return known[name]
    near = get_close_matches(plain, known, 1)
    return known[near[0]] if near else None


def hint(word: str, names: Iterable[str]) -> str:
    """Return "; did you mean NAME?" for a message, or nothing if none of `names` is near."""
    near = closest(word, names)
    if near is None:
        return ""
    return f"; did you mean {near if near.startswith('-') else repr(near)}?"


def _plain(name: str) -> str:
    return name.lower().strip("-").replace("_", "-")

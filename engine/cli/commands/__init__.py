"""The commands, one file each. This table is all that the overview needs, so that it imports none of them."""

GROUPS = {
    "train": {
        "train": "train a network",
        "lr-find": "find a learning rate in a short run",
        "sweep": "train with many settings and find the best",
        "coordinator": "train a network with workers on other machines",
        "worker": "join a coordinator and work for it",
        "manifest": "print what Kubernetes is to run",
        "doctor": "see whether this machine can train, or reaches a coordinator",
    },
    "look at runs": {
        "runs": "list the runs of a database",
        "show": "show everything recorded about a run",
        "compare": "show several runs side by side",
        "plot": "draw what was recorded",
        "report": "write a page about a run",
        "rm": "delete runs with their checkpoints",
    },
    "use a trained network": {
        "evaluate": "measure a trained network on a part of a data set",
        "predict": "classify images, or predict from features",
        "export": "write a network for ONNX, PyTorch or others",
        "import": "make a checkpoint of a network trained elsewhere",
        "verify": "compute the steps of a checkpoint again, and compare the bits",
    },
    "measure and learn": {
        "inspect": "show what a model is compiled to",
        "bench": "measure the speed-up from more workers",
        "demo": "show a lesson as pictures",
    },
}
SUMMARIES = {name: summary for commands in GROUPS.values() for name, summary in commands.items()}

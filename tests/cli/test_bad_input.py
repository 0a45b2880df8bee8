"""Bad input: a message that says what was wrong, exit code 2, no traceback, and nothing left behind."""

import gzip
import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file

from engine.nn.optimizers import OPTIMIZERS
from tests.support.command import PATIENCE, SMALL, Answer, Gradsum, finish, save_data, start
from tests.support.idx import write_idx

NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
Refused = Callable[..., Answer]


def contents() -> dict[str, bytes | None]:
    return {str(path): path.read_bytes() if path.is_file() else None for path in Path().rglob("*")}


@pytest.fixture
def refused(gradsum: Gradsum) -> Refused:
    """Return a function that runs a command which must be refused with a message that has all the `texts`."""

    def call(*arguments: object, texts: tuple[str, ...]) -> Answer:
        before = contents()
        answer = gradsum(*arguments)
        assert answer.code == 2, answer
        assert "Traceback" not in answer.err
        assert answer.out == ""
        for text in texts:
            assert text in answer.err
        assert answer.err.splitlines()[-1].startswith("gradsum")
        assert contents() == before, "files were left behind, or changed"
        return answer

    return call


@pytest.fixture
def trained(gradsum: Gradsum) -> Path:
    """Return the folder of a run of 5 steps."""
    save_data()
    assert gradsum(*SMALL, "--epochs", 1, "--db", "r.db", "--out", "out", "--quiet").code == 0
    return Path("out")


@pytest.mark.parametrize(
    ("arguments", "texts"),
    [
        ("trian", ("'trian'", "'train'")),
        ("train --stpes 3", ("gradsum train: no option --stpes; did you mean --steps?",)),
        ("train --epoch 3", ("no option --epoch; did you mean --epochs?",)),
        ("train letters", ("'letters' is one argument too many",)),
        ("train --lr", ("--lr", "expected one argument")),
        ("train --workers -1", ("workers must be a whole number from 0 to 4096, got -1",)),
        ("train --workers 100000", ("from 0 to 4096, got 100000",)),
        ("train --workers x", ("workers must be a whole number", "got 'x'")),
        ("train --workers 1.5", ("workers must be a whole number", "got '1.5'")),
        ("train --batch-size 0", ("batch-size must be a whole number from 1", "got 0")),
        ("train --microbatch 0", ("microbatch must be a whole number from 1", "got 0")),
        ("train --lr nan", ("lr must be a finite number above 0, got nan",)),
        ("train --lr inf", ("lr must be a finite number above 0, got inf",)),
        ("train --lr=-inf", ("lr must be a finite number above 0, got -inf",)),
        ("train --lr -1", ("lr must be a finite number above 0, got -1.0",)),
        ("train --lr 0", ("lr must be a finite number above 0, got 0.0",)),
        ("train --lr 1e999", ("lr must be a finite number above 0, got inf",)),
        ("train --lr 1e300", ("lr must be from 1.18e-38 to 3.4e+38, the range of float32, got 1e+300",)),
        ("train --lr 1e-300 --optimizer sgd", ("SGD: lr must be from", "got 1e-300")),
        ("train --lr much", ("lr must be a finite number above 0, got 'much'",)),
        ("train --epochs 0", ("epochs must be a whole number from 1", "got 0")),
        ("train --steps 0", ("steps must be a whole number from 1", "got 0")),
        ("train --steps 9" + "9" * 400, ("steps must be a whole number from 1", "got 99999")),
        ("train --seed -1", ("seed must be a whole number from 0", "got -1")),
        ("train --time-limit 0", ("time-limit must be a finite number above 0, got 0",)),
        ("train --target 101", ("target must be a number from 0 to 100, got 101",)),
        ("train --dropout 1", ("dropout must be a number of at least 0 and below 1, got 1",)),
        ("train --beta1 1", ("beta1 must be a number of at least 0 and below 1, got 1",)),
        ("train --optimizer adma", (f"optimizer must be one of {', '.join(OPTIMIZERS)}, got 'adma'",)),
        ("train --data leters", ("no data set, file or folder 'leters'", "did you mean letters?", "emnist-letters")),
        ("train --data missing.npz", ("no data set, file or folder 'missing.npz'",)),
        ("train --model nosuch --data data.npz", ("no model or file 'nosuch'", "letters, mlp, lenet, resnet8, vgg7")),
        ("train --config missing.toml", ("missing.toml cannot be read: No such file",)),
        ("train --config .", ("--config . cannot be read: Is a directory",)),
        ("train --resume nowhere", ("there is no checkpoint file nowhere",)),
        ("evaluate", ("required: CHECKPOINT",)),
        ("evaluate nowhere", ("there is no checkpoint file nowhere",)),
        ("predict nowhere", ("required: FILE",)),
        ("predict nowhere a.png", ("there is no checkpoint file nowhere",)),
        ("runs --db nowhere.db", ("there is no database nowhere.db",)),
        ("runs --yaml", ("no option --yaml (see",)),
        ("show", ("required: RUN",)),
        ("show 1 --db nowhere.db", ("there is no database nowhere.db; train something first",)),
        ("show 1 --json --csv", ("--csv", "not allowed with", "--json")),
        ("compare 1 2 --db data.npz", ("database data.npz is not a SQLite database",)),
        ("rm 1 --db .", ("database . is a folder",)),
        ("rm 1 --db nowhere.db", ("there is no database nowhere.db",)),
    ],
)
def test_arguments(refused: Refused, arguments: str, texts: tuple[str, ...]) -> None:
    save_data()
    refused(*arguments.split(), texts=texts)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("GRADSUM_CACHE_GB", "x", "GRADSUM_CACHE_GB must be a number of gigabytes, 0 or more, got 'x'"),
        ("GRADSUM_ALLOW_SLOW", "maybe", "GRADSUM_ALLOW_SLOW must be 1, or 0 as if it were not set, got 'maybe'"),
    ],
)
def test_the_environment_is_looked_at_first(
    refused: Refused, monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(name, value)
    refused("train", "--data", "missing.npz", texts=(said,))


def test_data_that_is_not_on_the_machine(refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(Path("nothing").absolute()))
    monkeypatch.delenv("GRADSUM_DATA", raising=False)
    for name in ("mnist", "emnist-letters"):
        refused("train", "--data", name, texts=(f"{name} is not on this machine", "train-images", "https://", "Put"))


def idx_files(folder: str = "digits", side: int = 8, label: int = 9) -> list[Path]:
    """Write four IDX files; the largest label is `label`."""
    Path(folder).mkdir()
    files = [Path(folder, name) for name in NAMES]
    for images, labels, n in ((files[0], files[1], 30), (files[2], files[3], 10)):
        write_idx(images, np.arange(n * side * side, dtype=np.uint8).reshape(n, side, side))
        write_idx(labels, (np.arange(n) % (label + 1)).astype(np.uint8))
    return files


def missing(files: list[Path]) -> tuple[str, ...]:
    files[3].unlink()
    return ("digits: lacks t10k-labels-idx1-ubyte",)


def empty(files: list[Path]) -> tuple[str, ...]:
    files[0].write_bytes(b"")
    return ("train-images-idx3-ubyte: the file is empty",)


def truncated(files: list[Path]) -> tuple[str, ...]:
    files[2].write_bytes(files[2].read_bytes()[:-1])
    return ("t10k-images-idx3-ubyte", "it was cut off")


def truncated_gzip(files: list[Path]) -> tuple[str, ...]:
    files[1].with_name(files[1].name + ".gz").write_bytes(gzip.compress(files[1].read_bytes())[:-4])
    files[1].unlink()
    return ("train-labels-idx1-ubyte.gz: damaged gzip file",)


def swapped(files: list[Path]) -> tuple[str, ...]:
    images, labels = files[0].read_bytes(), files[1].read_bytes()
    files[0].write_bytes(labels)
    files[1].write_bytes(images)
    return ("train-images-idx3-ubyte", "were the two files swapped?")


def mismatching(files: list[Path]) -> tuple[str, ...]:
    shutil.copy(files[3], files[1])
    return ("30 images but 10 labels",)


def not_idx(files: list[Path]) -> tuple[str, ...]:
    files[0].write_text("<!DOCTYPE html>")
    return ("train-images-idx3-ubyte: not an IDX file",)


def other_size(files: list[Path]) -> tuple[str, ...]:
    write_idx(files[2], np.zeros((10, 9, 8), np.uint8))
    return ("training images are [8, 8, 1] but test images [9, 8, 1]",)


@pytest.mark.parametrize(
    "damage", [missing, empty, truncated, truncated_gzip, swapped, mismatching, not_idx, other_size]
)
def test_idx_files(refused: Refused, damage: Callable[[list[Path]], tuple[str, ...]]) -> None:
    texts = damage(idx_files())
    refused("train", "--data", "digits", "--model", "mlp", "--workers", 0, texts=texts)


def test_labels_out_of_range(refused: Refused) -> None:
    idx_files("mnist", label=12)
    refused("train", "--data", "mnist/", "--workers", 0, texts=("mnist: train label 12 at index 12 has no class",))
    idx_files("emnist-letters", label=3)
    refused("train", "--data", "emnist-letters/", "--workers", 0, texts=("label 0 at index 0", "count from 1"))


@pytest.mark.parametrize(
    ("model", "texts"),
    [
        ("[[layers]", ("model.toml is not valid TOML",)),
        ("\xff", ("model.toml is not valid TOML",)),
        ("", ("list 'layers'",)),
        ("layers = []", ("at least one layer",)),
        ("depth = 3\n[[layers]]\ntype = 'Flatten'", ("no 'depth'",)),
        ("[[layers]]\ntype = 'Dens'", ("no layer type 'Dens'", "Dense")),
        ("[[layers]]\ntype = 'Dense'\nunits = 3", ("Dense has no 'units'", "features")),
        ("[[layers]]\ntype = 'Dense'\nfeatures = 0", ("features must be a whole number", "got 0")),
        ("[[layers]]\ntype = 'Dense'\nfeatures = 3", ("needs",)),
        ("[[layers]]\ntype = 'Conv2d'\nfilters = 2", ("must end in features", "Dense")),
        ("[[layers]]\ntype = 'Flatten'\n[[layers]]\ntype = 'Dense'\nfeatures = 2", ("2 outputs", "3 classes")),
        (
            "shape = [28, 28, 1]\n[[layers]]\ntype = 'Flatten'\n[[layers]]\ntype = 'Dense'\nfeatures = 3",
            ("takes images of 28x28x1", "the data has 8x8x1"),
        ),
    ],
)
def test_models(refused: Refused, model: str, texts: tuple[str, ...]) -> None:
    save_data()
    Path("model.toml").write_text(model, encoding="latin-1")
    refused("train", "--data", "data.npz", "--model", "model.toml", "--workers", 0, texts=texts)


def flipped(file: Path) -> tuple[str, ...]:
    content = bytearray(file.read_bytes())
    content[-5] ^= 1
    file.write_bytes(content)
    return ("damaged",)


def cut(file: Path) -> tuple[str, ...]:
    file.write_bytes(file.read_bytes()[:-100])
    return ("cut short",)


def foreign(file: Path) -> tuple[str, ...]:
    save_file({"fc1.weights": np.zeros((3, 64), np.float32)}, file)
    return ("not a checkpoint of gradsum",)


def text(file: Path) -> tuple[str, ...]:
    file.write_text("hello")
    return ("not a safetensors file",)


@pytest.mark.parametrize("damage", [flipped, cut, foreign, text])
@pytest.mark.parametrize("command", ["train --resume", "evaluate", "predict"])
def test_damaged_and_foreign_checkpoints(
    refused: Refused, trained: Path, command: str, damage: Callable[[Path], tuple[str, ...]]
) -> None:
    [file] = trained.iterdir()
    texts = (str(file), *damage(file))
    images = ["image.npy"] if command == "predict" else []
    refused(*command.split(), file, *images, texts=texts)
    refused(*command.split(), trained, *images, texts=(*texts, "has no good checkpoint"))


@pytest.mark.parametrize("command", ["train --resume", "evaluate", "predict"])
def test_an_empty_folder_for_a_checkpoint(refused: Refused, command: str) -> None:
    Path("empty").mkdir()
    images = ["image.npy"] if command == "predict" else []
    refused(*command.split(), "empty", *images, texts=("folder empty has no checkpoint",))


def test_a_resumed_run_with_something_else(refused: Refused, trained: Path) -> None:
    resume = ("train", "--resume", trained, "--epochs", 2)
    save_data("other.npz", seed=2)
    refused(*resume, "--data", "other.npz", texts=("began with data data", "this is other"))
    Path("model.toml").write_text("[[layers]]\ntype = 'Flatten'\n[[layers]]\ntype = 'Dense'\nfeatures = 3")
    refused(*resume, "--model", "model.toml", texts=("another model",))
    refused(*resume, "--lr", 0.5, texts=("began with lr 0.001, not 0.5",))
    refused(*resume, "--optimizer", "sgd", texts=("began with optimizer adam, not sgd",))
    refused(*resume, "--batch-size", 9, texts=("began with batch-size 8, not 9",))
    refused("train", "--resume", trained, texts=("already at step 5", "--steps or --epochs"))
    refused("train", "--resume", trained, "--steps", 3, texts=("already at step 5 and ends at step 3",))


def test_a_resumed_run_whose_data_has_gone(refused: Refused, trained: Path) -> None:
    Path("data.npz").unlink()
    refused(
        "train",
        "--resume",
        trained,
        "--epochs",
        2,
        texts=("data.npz, which is not there", "give the same data with --data"),
    )


def test_a_folder_that_holds_the_checkpoints_of_another_run(refused: Refused, trained: Path) -> None:
    refused(*SMALL, "--out", trained, "--db", "new.db", texts=("checkpoints of another run", "another folder"))


def test_a_folder_for_checkpoints_that_cannot_be_one(refused: Refused) -> None:
    save_data()
    refused(*SMALL, "--out", "data.npz", "--db", "new.db", texts=("data.npz for checkpoints cannot be made",))


def test_databases(refused: Refused) -> None:
    save_data()
    Path("folder").mkdir()
    refused(*SMALL, "--db", "folder", texts=("database folder is a folder", "folder/gradsum.db"))
    Path("text.db").write_text("this is no database, though it is long enough to hold the header of one" * 9)
    refused(*SMALL, "--db", "text.db", texts=("text.db is not a SQLite database",))
    connection = sqlite3.connect("photos.db")
    connection.execute("CREATE TABLE photos (name TEXT)")
    connection.close()
    refused(*SMALL, "--db", "photos.db", texts=("photos.db belongs to another program",))
    refused(*SMALL, "--db", "data.npz/r.db", "--out", "out", texts=("the folder of database data.npz/r.db",))
    # Root may write to read-only files; not in /proc.
    refused(*SMALL, "--db", "/proc/version", "--out", "out", texts=("database /proc/version cannot be",))


@pytest.mark.parametrize(
    ("config", "texts"),
    [
        ("lr = ", ("c.toml is not valid TOML",)),
        ("\xff", ("c.toml is not valid TOML",)),
        ("learning_rate = 1", ("c.toml: no option 'learning_rate'; did you mean 'lr'?",)),
        ("batchsize = 1", ("no option 'batchsize'", "did you mean 'batch_size'?")),
        ("[train]\nlr = 1", ("no option 'train'",)),
        ("lr = 'fast'", ("c.toml: lr must be a finite number above 0, got 'fast'",)),
        ("workers = 1.5", ("workers must be a whole number", "got 1.5")),
        ("workers = true", ("workers must be a whole number", "got True")),
        ("augment = 1", ("augment must be true or false, or text, got 1",)),
        ("quiet = 1", ("quiet must be true or false, got 1",)),
        ("data = 3", ("data must be text, got 3",)),
    ],
)
def test_config_files(refused: Refused, config: str, texts: tuple[str, ...]) -> None:
    Path("c.toml").write_text(config, encoding="latin-1")
    refused("train", "--config", "c.toml", texts=texts)


HUGE = {
    "lr = " + "[" * 5000 + "]" * 5000: "has values that are nested too deeply",
    ".".join("a" * 5000) + " = 1": "has values that are nested too deeply",
    "steps = " + "9" * 5000: "has a number with too many digits",
    "steps = 0x" + "f" * 5000: "has a number with too many digits",
    "data = 0x" + "f" * 5000: "has a number with too many digits",
}


@pytest.mark.parametrize(("content", "said"), HUGE.items(), ids=range(len(HUGE)))
def test_what_python_can_read_but_not_print(refused: Refused, content: str, said: str) -> None:
    Path("c.toml").write_text(content)
    for command, name in (("train --config", "--config c.toml"), ("inspect", "c.toml")):
        answer = refused(*command.split(), "c.toml", texts=(f"gradsum: {name} {said}\n",))
        assert answer.err.count("\n") == 1


def test_a_current_folder_that_was_deleted(gradsum: Gradsum) -> None:
    Path("gone").mkdir()
    os.chdir("gone")
    Path("../gone").rmdir()
    for command in ("train --steps 1", "demo hill", "runs", "inspect mlp"):
        answer = gradsum(*command.split())
        assert (answer.code, answer.out) == (2, "")
        assert answer.err == "gradsum: the current folder no longer exists; change to another one\n"


def test_images(refused: Refused, trained: Path) -> None:
    Image.new("L", (8, 9)).save("tall.png")
    Path("text.png").write_text("hello")
    Path("cut.png").write_bytes(Path("tall.png").read_bytes()[:30])
    Image.new("L", (8, 8)).save("good.png")
    np.save("float.npy", np.zeros((8, 8)))
    np.save("line.npy", np.zeros(8, np.uint8))
    np.save("none.npy", np.zeros((0, 8, 8), np.uint8))
    np.save("objects.npy", np.array([{}]), allow_pickle=True)
    Path("text.npy").write_text("hello")
    Path("empty.npy").write_bytes(b"")
    Path("cut.npy").write_bytes(Path("float.npy").read_bytes()[:-1])
    for name, reason in {
        "missing.png": "image missing.png does not exist",
        "tall.png": "tall.png is 9x8x1; the network takes images of 8x8x1",
        "text.png": "text.png is not in a known picture format",
        "cut.png": "cut.png",
        ".": ". is a folder",
        "float.npy": "float.npy cannot be read as an image: it holds float64 [8, 8], not uint8",
        "line.npy": "line.npy cannot be read as an image: it holds uint8 [8]",
        "none.npy": "none.npy holds no image",
        "objects.npy": "objects.npy cannot be read",
        "text.npy": "text.npy cannot be read",
        "empty.npy": "empty.npy cannot be read",
        "cut.npy": "cut.npy cannot be read",
        "missing.npy": "image missing.npy does not exist",
    }.items():
        refused("predict", trained, "good.png", name, texts=(reason,))


def test_data_of_another_shape(refused: Refused, trained: Path) -> None:
    save_data("large.npz", side=9)
    refused("evaluate", trained, "--data", "large.npz", texts=("takes images of 8x8x1", "the data has 9x9x1"))
    save_data("many.npz", classes=4)
    refused("evaluate", trained, "--data", "many.npz", texts=("3 outputs", "4 classes"))


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([], 2, "required: ADDRESS"),
        (["nonsense"], 2, "'nonsense' is not an address"),
        (["tcp://a..b:5555", "--insecure"], 2, "'tcp://a..b:5555' is not an address"),
        (["tcp://127.0.0.1:1", "--patience", "0.2"], 1, "nothing came from tcp://127.0.0.1:1 for 0.2 seconds"),
    ],
)
def test_a_worker_without_a_coordinator(tidy: Path, arguments: list[str], code: int, said: str) -> None:
    answer = finish(start("worker", *arguments))
    assert answer.code == code
    assert said in answer.err
    assert "Traceback" not in answer.err
    assert answer.out == ""


def test_help_for_a_worker(tidy: Path) -> None:
    process = start("worker", "--help")
    out, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert "--patience" in out


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (("--optimizer", "lion"), "optimizer must be one of sgd, momentum, nesterov, rmsprop, adam, adamw, got 'lion'"),
        (("--weight-decay", -1), "weight-decay must be a finite number of at least 0, got -1"),
        (
            ("--optimizer", "adamw", "--lr", 2, "--weight-decay", 0.5),
            "weight-decay times the learning rate, 2, must be below 1 with adamw, got 0.5",
        ),
        (("--clip-norm", 0), "clip-norm must be a finite number above 0, got 0"),
        (("--schedule", "cos"), "schedule must be one of constant, cosine, linear, step, onecycle, got 'cos'"),
        (("--schedule", "cosine", "--time-limit", 5), "schedule cosine must know where it ends"),
        (
            ("--schedule", "linear", "--steps", 3, "--warmup", 3),
            "warmup must be below the 3 steps of the schedule, got 3",
        ),
        (("--min-lr", 1), "min-lr must be at most the learning rate"),
        (("--decay-factor", 1), "decay-factor must be a number above 0 and below 1, got 1"),
        (("--plateau", -1), "plateau must be a whole number from 0"),
        (("--patience", 0), "patience must be a whole number from 1"),
        (("--label-smoothing", 1), "label-smoothing must be a number of at least 0 and below 1, got 1"),
        (("--class-weights", "1,2"), "class-weights must be balanced, or"),
        (("--augment", "spin=3"), "no change is called 'spin'"),
        (("--augment", "shift=8"), "shift must be below the rows and columns of the images, 8x8, got 8"),
        (("--freeze", "x*"), "freeze: no layer with parameters is called 'x*'"),
        (("--freeze", "*"), "no layer is left to train"),
        (("--from", "nowhere"), "no such file or folder: nowhere"),
        (("--top-k", 129), "top-k must be a whole number from 0 to 128, got 129"),
    ],
)
def test_options_of_training(refused: Refused, options: tuple[str | int, ...], text: str) -> None:
    save_data()
    refused(*SMALL, *options, texts=(text,))

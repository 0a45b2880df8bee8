"""What parameters are called in PyTorch: c1.filter is c1.weight there."""

from collections.abc import Iterable
from keyword import iskeyword

# Names that an attribute of a torch.nn.Module cannot have, or that the module file uses itself.
_TAKEN = """
    T_destination add_module apply bfloat16 buffers call_super_init children compile cpu cuda deviation double
    dump_patches eval extra_repr features float forward get_buffer get_extra_state get_parameter get_submodule half
    ipu load_state_dict mean modules mtia named_buffers named_children named_modules named_parameters parameters
    probabilities register_backward_hook register_buffer register_forward_hook register_forward_pre_hook
    register_full_backward_hook register_full_backward_pre_hook register_load_state_dict_post_hook
    register_load_state_dict_pre_hook register_module register_parameter register_state_dict_post_hook
    register_state_dict_pre_hook requires_grad_ set_extra_state set_submodule share_memory state_dict to to_empty
    train training type values xpu zero_grad
"""
TAKEN = frozenset(_TAKEN.split())
PREFIX = "layer_"
WEIGHT = ("filter", "weights", "scale")  # each is the weight of its layer


def torch_layer(name: str) -> str:
    """Return what a layer is called in a module: its own name, unless that cannot be; two never become one."""
    unfit = name in TAKEN or iskeyword(name) or name.startswith(("_", PREFIX))
    return f"{PREFIX}{name}" if unfit else name


def torch_name(name: str) -> str:
    """Return what a parameter, such as "c1.filter", is called in a module's state."""
    layer, _, array = name.partition(".")
    return f"{torch_layer(layer)}.{'weight' if array in WEIGHT else array}"


def own_names(wanted: Iterable[str], there: Iterable[str]) -> dict[str, str]:
    """Return which of the names `there` is that of each parameter in `wanted`: its own, or as PyTorch writes it.

    A path of modules there, such as "features.0.weight", is that of the layer "features_0". What is not there is left
    out.
    """
    known = {_word(name): name for name in there}
    pairs = {name: (name, torch_name(name), _plain(name)) for name in wanted}
    return {name: known[at] for name, some in pairs.items() if (at := next((x for x in some if x in known), None))}


def _plain(name: str) -> str:
    layer, _, array = name.partition(".")
    return f"{layer}.{'weight' if array in WEIGHT else array}"


def _word(name: str) -> str:
    """Return the name with its layer as a word, as layers here are called: "0.weight" is "_0.weight"."""
    layer, _, array = name.rpartition(".")
    word = layer.replace(".", "_")
    return f"{'_' if word[:1].isdecimal() else ''}{word}.{array}"

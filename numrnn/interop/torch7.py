"""Models, tensors and tables from Torch7's serialised files (`.t7`).

`torch7_format` turns a file into plain values; here its objects become numrnn's modules and criterions. A maker for
each of the original's classes, in the table at the end, asks for the fields that say what the object computes. The
rest, such as buffers and the clones for single steps, is left alone.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from numrnn.interop.torch7_format import MOST_DIMENSIONS, Reader, Table, TorchObject, reader_of, shown

MOST_MODULES = 100
"""How many modules may lie one inside the other: methods of numrnn's modules call those of the modules inside."""
MOST_COPIES = 64
"""How many times the file's own size may be made from it, which happens only where modules share something."""


def load_torch7(path: str | os.PathLike[str]) -> Any:
    r"""Return what a file written by Torch7's `torch.save` holds, from its binary or its ASCII format.

    Parameters
    ----------
    path : str or path
        The file, usually named `*.t7`.

    Returns
    -------
    object
        Of the file's one value,

        * tensors and storages are NumPy arrays of their element type, with the tensor's own strides. Tensors with a
          common storage are views of one array. If elements of a storage are used more than once, as after `expand`,
          the array is read-only;
        * tables are lists if their keys are 1 to n (so an empty one is), else dicts;
        * numbers are int if they are whole, else float; strings, booleans and nil are str, bool and None. Bytes of a
          string that are not UTF-8 are kept as surrogates;
        * objects of the classes `nn.*` are numrnn's modules and criterions, with copies of the parameters in their
          element type, in the training or evaluate mode that they were saved in, and at the start of a sequence.
          Indices and dimensions are counted from 0 then.

        What is one object in the file is one here. But modules that share no more than a parameter get a copy each.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged, cut off or goes on after the value, or if it holds a function or anything of a class
        that numrnn does not have or cannot make from it. The message names the file and the place in it.

    Examples
    --------
    >>> import numrnn as nr, os, tempfile
    >>> text = "3 1 2 2 4 size 1 6 2 5 flags 3 2 2 1 1 5 1 1 2 5 0 "
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "ascii.t7")
    ...     with open(path, "w", newline="") as file:
    ...         _ = file.write(text.replace(" ", "\n"))
    ...     nr.interop.load_torch7(path)
    {'size': 6, 'flags': [True, False]}
    """
    reader = reader_of(os.fspath(path), Path(path).read_bytes())
    try:
        return _Making(reader).value_of(reader.read_file())
    except RecursionError as error:  # only where little of Python's stack is left
        raise reader.refuse("modules too deep inside others", reader.position, "fewer levels") from error


_PENDING = object()  # what an object stands for while it is being made


class _Making:
    """Makes what a file holds, each object and each table once."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._made: dict[int, Any] = {}  # by the id of the plain value
        self._modes: list[tuple[Any, bool]] = []  # modules, and whether they are in training mode; parts come first
        self._budget = MOST_COPIES * len(reader.data)

    def value_of(self, plain: Any) -> Any:
        """Return what the file's value stands for. Tables may be nested deeply: those to be filled are in a list."""
        empty: list[Table] = []

        def stands_for(value: Any) -> Any:
            if isinstance(value, TorchObject):
                return self.module(value)
            if isinstance(value, Table):
                if id(value) not in self._made:
                    self._made[id(value)] = [None] * len(value) if value.is_list() else {}
                    empty.append(value)
                return self._made[id(value)]
            return value

        result = stands_for(plain)
        while empty:
            table = empty.pop()
            made, first = self._made[id(table)], 1 if table.is_list() else None
            for key, value in table.items():
                if isinstance(key, Table | TorchObject):
                    got = f"a {shown(key)} as a key of a table"
                    raise self._reader.refuse(got, table.position, "strings, numbers or booleans")
                made[key if first is None else key - first] = stands_for(value)
        for module, is_training in reversed(self._modes):
            module.training() if is_training else module.evaluate()
        return result

    def module(self, value: TorchObject, depth: int = 0) -> Any:
        """Return the module or criterion that an object stands for."""
        made = self._made.get(id(value))
        if made is _PENDING:
            raise self.refuse(value, f"a {value.class_name} inside itself", "modules made of others")
        if made is None:
            if depth > MOST_MODULES:
                expects = f"at most {MOST_MODULES}, one inside the other"
                raise self.refuse(value, f"a module inside {depth} others", expects)
            maker = _MAKERS.get(value.class_name.removeprefix("nn."))
            if maker is None:
                got = f"an object of class {value.class_name!r}"
                raise self.refuse(value, got, "a class that numrnn has, too")
            self._made[id(value)] = _PENDING
            own = _Own(self, value, depth)
            self._made[id(value)] = made = maker(own)
            if isinstance(value.fields.get("train"), bool) and hasattr(made, "training"):
                self._modes.append((made, value.fields["train"]))
            if own.text("_remember", "neither") != "neither":
                own.call(made, "remember", own.text("_remember", "neither"))
        return made

    def refuse(self, value: TorchObject, got: str, expects: str, hint: str = "") -> ValueError:
        """Return the error for something in an object."""
        return self._reader.refuse(got, value.position, expects, hint)

    def spend(self, value: TorchObject, size: int) -> None:
        """Note that something takes memory, as much as a file of this size may."""
        self._budget -= size
        if self._budget < 0:
            expects = f"parameters and tables of at most {MOST_COPIES} times the size of the file"
            raise self.refuse(value, f"modules that share their tensors or tables, up to {value.class_name},", expects)


class _Own:
    """An object's own fields, as a maker asks for them."""

    def __init__(self, making: _Making, value: TorchObject, depth: int) -> None:
        self._making, self._value, self._depth = making, value, depth
        self.name, self.fields = value.class_name.removeprefix("nn."), value.fields

    def of(self, value: TorchObject) -> _Own:
        """Return another object's fields."""
        return _Own(self._making, value, self._depth)

    def refuse(self, got: str, expects: str, hint: str = "") -> ValueError:
        """Return the error for something in this object."""
        return self._making.refuse(self._value, f"{self._value.class_name} with {got},", expects, hint)

    # ---- numbers and words -----------------------------------------------------------------------------------------

    def _field(self, name: str, default: Any, kinds: Any, expects: str) -> Any:
        value = self.fields.get(name, default)
        if value is None and default is None:
            return None
        if not isinstance(value, kinds) or (isinstance(value, bool) and kinds is not bool):
            raise self.refuse(f"{name} = {shown(value)}", expects)
        return value

    def number(self, name: str, default: float | None = None) -> Any:
        """Return a number."""
        return self._field(name, default, int | float, "a number")

    def whole(self, name: str, default: int | None = None) -> Any:
        """Return a whole number."""
        return self._field(name, default, int, "a whole number")

    def flag(self, name: str, default: bool = False) -> bool:
        """Return a boolean."""
        return self._field(name, default, bool, "a boolean")

    def text(self, name: str, default: str) -> str:
        """Return a string."""
        return self._field(name, default, str, "a string")

    def expect(self, name: str, default: Any, *expected: Any) -> None:
        """Raise an error unless a field has one of the values that numrnn knows; it may be missing."""
        value = self.fields.get(name, default)
        if not any(type(value) is type(known) and value == known for known in (default, *expected)):
            words = " or ".join(map(str, dict.fromkeys((default, *expected))))
            raise self.refuse(f"{name} = {shown(value)}", f"{words}, as in numrnn")

    # ---- positions and dimensions, which the file counts from 1 ----------------------------------------------------

    def index(self, name: str) -> int:
        """Return a position, which the file counts from 1 or from the end, as counted from 0."""
        return self.position(name, self.fields.get(name))

    def position(self, name: str, value: Any) -> int:
        """Return the position `value`, as counted from 0."""
        if isinstance(value, bool) or not isinstance(value, int) or not value:
            raise self.refuse(f"{name} = {shown(value)}", "a position from 1, or from the end")
        return value if value < 0 else value - 1

    def axis(self, name: str = "dimension", sample: str = "nInputDims", more: int = 0) -> int:
        """Return a dimension as an axis, counted from the end if the file says how many dimensions a sample has."""
        return self.axis_of(name, self.fields.get(name), sample, more)

    def axis_of(self, name: str, value: Any, sample: str, more: int = 0) -> int:
        """Return the axis for the dimension `value`; an output may have `more` of them than the sample."""
        axis, dimensions = self.position(name, value), self.whole(sample, 0)
        if axis < 0 or dimensions <= 0:
            return axis
        if axis >= dimensions + more:
            raise self.refuse(f"{name} = {axis + 1} of {dimensions}", "a dimension that there is")
        return axis - dimensions - more

    # ---- arrays and tables -----------------------------------------------------------------------------------------

    def array(self, name: str, *dimensions: int) -> np.ndarray:
        """Return an array that has one of these numbers of dimensions, and a place of its own for each element."""
        return self.checked(name, self.fields.get(name), *dimensions)

    def checked(self, name: str, value: Any, *dimensions: int) -> np.ndarray:
        """Return the array `value`, if it is such a one."""
        if not isinstance(value, np.ndarray) or value.ndim not in dimensions or not value.size:
            expects = f"a tensor of {' or '.join(map(str, dimensions))} dimension(s)"
            raise self.refuse(f"{name} = {shown(value)}", expects)
        if not value.flags.writeable:
            raise self.refuse(f"{name} that repeats elements of its storage", "a place of its own for each element")
        return value

    def has_array(self, name: str) -> bool:
        """Whether a field is an array of something."""
        value = self.fields.get(name)
        return isinstance(value, np.ndarray) and value.size > 0

    def items(self, name: str) -> list[Any]:
        """Return the elements of a list, or of a storage."""
        value = self.fields.get(name)
        if isinstance(value, np.ndarray) and value.size:
            return self.array(name, 1).tolist()
        items = self.in_order(value)
        if not isinstance(value, Table) or len(items) < len(value):
            raise self.refuse(f"{name} = {shown(value)}", "a list")
        return items

    def in_order(self, table: Any) -> list[Any]:
        """Return the values at 1, 2, ... of a table, which may have other keys, too."""
        found: list[Any] = []
        while isinstance(table, Table) and len(found) + 1 in table:
            found.append(table[len(found) + 1])
        self._making.spend(self._value, 64 * len(found))
        return found

    def sizes(self, name: str) -> list[int]:
        """Return the elements of a storage, or a table, of sizes."""
        sizes = self.items(name)
        if len(sizes) > MOST_DIMENSIONS or not all(type(size) is int for size in sizes):
            raise self.refuse(f"{name} = {shown(self.fields[name])}", "whole numbers")
        return sizes

    # ---- objects ---------------------------------------------------------------------------------------------------

    def object(self, name: str) -> TorchObject:
        """Return the object in a field as it is in the file."""
        return self._field(name, False, TorchObject, "an object")

    def objects(self, name: str = "modules") -> list[TorchObject]:
        """Return the objects in a table."""
        found = self.items(name) if name in self.fields else []
        if not all(isinstance(value, TorchObject) for value in found):
            raise self.refuse(f"{name} = {shown(self.fields[name])}", "a list of objects")
        return found

    def inner(self, *names: str) -> TorchObject:
        """Return what an object is wrapped around: in a field that has one of these names, or the first module."""
        for name in names:
            if self.fields.get(name) is not None:
                return self.object(name)
        modules = self.objects()
        if not modules:
            raise self.refuse("no module inside", "one")
        return modules[0]

    def part(self, value: TorchObject, kind: str = "Module") -> Any:
        """Return the module, or criterion, that an object stands for."""
        import numrnn

        made = self._making.module(value, self._depth + 1)
        if not isinstance(made, getattr(numrnn, kind)):
            raise self.refuse(f"a {type(made).__name__} inside", f"a {kind}")
        return made

    def parts(self) -> list[Any]:
        """Return the modules inside."""
        return [self.part(value) for value in self.objects()]

    # ---- what is made ----------------------------------------------------------------------------------------------

    def make(self, name: str, *args: Any, parameters: Iterable[np.ndarray] = (), **options: Any) -> Any:
        """Return an object of numrnn's class of this name, with copies of these parameters, in order."""
        import numrnn

        arrays = list(parameters)
        dtype = self._dtype(arrays)
        self._making.spend(self._value, 2 * sum(array.nbytes for array in arrays))
        try:
            module = getattr(numrnn, name)(*args, **options)
        except (IndexError, OverflowError, RuntimeError, TypeError, ValueError) as error:
            raise self.refuse(f"arguments that numrnn refuses ({error})", f"what numrnn.{name} takes") from error
        if arrays:
            module.astype(dtype)
            own = module.parameters()[0]
            self.expect_shapes(arrays, [parameter.shape for parameter in own])
            for parameter, array in zip(own, arrays, strict=True):
                parameter[...] = array
            module.parameters_changed()
        return module

    def _dtype(self, arrays: list[np.ndarray]) -> np.dtype:
        dtypes = {np.dtype("f4") if array.dtype == "f2" else array.dtype for array in arrays}
        if len(dtypes) > 1 or not dtypes <= {np.dtype("f4"), np.dtype("f8")}:
            raise self.refuse(f"parameters of {_listed(sorted(map(str, dtypes)))}", "float32 or float64")
        return next(iter(dtypes), np.dtype("f4"))

    def expect_shapes(self, arrays: list[np.ndarray], shapes: list[tuple[int, ...]]) -> None:
        """Raise an error unless the arrays have these shapes."""
        if [array.shape for array in arrays] != shapes:
            raise self.refuse(f"parameters of shapes {_listed(a.shape for a in arrays)}", f"shapes {_listed(shapes)}")

    def call(self, module: Any, method: str, *args: Any) -> None:
        """Call a method that the module may lack."""
        if not hasattr(module, method):
            raise self.refuse(f"what needs {method}", f"a numrnn.{type(module).__name__} that has it")
        try:
            getattr(module, method)(*args)
        except (IndexError, RuntimeError, TypeError, ValueError) as error:
            raise self.refuse(f"{method}{args} that numrnn refuses ({error})", "what it takes") from error


def _listed(items: Iterable[Any]) -> str:
    words = [str(item) for item in items]
    return ", ".join(words[:20]) + (", ..." if len(words) > 20 else "") or "none"


# ---- layers ------------------------------------------------------------------------------------------------------

_Maker = Callable[[_Own], Any]


def _with(_name: str = "", **arguments: str | tuple[str, Any]) -> _Maker:
    """Return a maker for a class with arguments: the names of fields, with the values that may be left out."""

    def make(own: _Own) -> Any:
        options = {}
        for argument, name in arguments.items():
            name, default = (name, None) if isinstance(name, str) else name
            read = own.flag if isinstance(default, bool) else own.number
            value = read(name, default)
            if value is None or value != default:
                options[argument] = value
        return own.make(_name or own.name, **options)

    return make


_plain = _with()


def _linear(own: _Own) -> Any:
    weight = own.array("weight", 2)
    output_size, input_size = weight.shape
    if own.name == "LinearNoBias" or "bias" not in own.fields:
        return own.make("LinearNoBias", input_size, output_size, parameters=[weight])
    return own.make("Linear", input_size, output_size, parameters=[weight, own.array("bias", 1)])


def _bilinear(own: _Own) -> Any:
    weight = own.array("weight", 3)
    output_size, *input_sizes = weight.shape
    bias = [own.array("bias", 1)] if "bias" in own.fields else []
    return own.make("Bilinear", *input_sizes, output_size, bias=bool(bias), parameters=[weight, *bias])


def _lookup_table(own: _Own) -> Any:
    weight = own.array("weight", 2)
    options: dict[str, Any] = {}
    if own.whole("paddingValue", 0):
        options["padding_value"] = own.index("paddingValue")
    if "maxNorm" in own.fields:
        options |= {"max_norm": own.number("maxNorm"), "norm_type": own.number("normType", 2)}
    if own.flag("shouldScaleGradByFreq"):
        options["scale_grad_by_frequency"] = True
    rows = len(weight) - (own.name == "LookupTableMaskZero")
    return own.make(own.name, rows, weight.shape[1], parameters=[weight], **options)


def _add(own: _Own) -> Any:
    bias = own.array("bias", 1)
    own.expect("scalar", False)
    return own.make("Add", bias.size, parameters=[bias])


def _c_mul(own: _Own) -> Any:
    weight = own.array("weight", *range(1, MOST_DIMENSIONS))
    while weight.ndim > 1 and len(weight) == 1:
        weight = weight[0]
    return own.make("CMul", *weight.shape, parameters=[weight])


def _prelu(own: _Own) -> Any:
    weight, size = own.array("weight", 1), own.whole("nOutputPlane", 0)
    if size not in (0, weight.size):
        raise own.refuse(f"nOutputPlane = {size}", f"0, or the {weight.size} weights there are")
    return own.make("PReLU", size, parameters=[weight])


def _batch_normalization(own: _Own) -> Any:
    mean, variance = own.array("running_mean", 1), own.array("running_var", 1)
    own.expect_shapes([variance], [mean.shape])
    parameters = [own.array("weight", 1), own.array("bias", 1)] if "weight" in own.fields else []
    own.expect_shapes(parameters, [mean.shape] * len(parameters))
    options = {"eps": own.number("eps", 1e-5), "momentum": own.number("momentum", 0.1), "affine": bool(parameters)}
    module = own.make("BatchNormalization", mean.size, parameters=parameters, **options)
    own.call(module, "astype", mean.dtype)
    module.running_mean, module.running_var = mean, variance
    return module


def _layer_normalization(own: _Own) -> Any:
    """Make what the original makes of layers: minus the mean, by the norm, times the root of the size; CMul and Add."""
    layers = {value.class_name: own.of(value) for value in own.objects()}
    if not layers.keys() >= {"nn.Normalize", "nn.MulConstant"}:
        raise own.refuse(f"modules {_listed(layers)}", "those that the original makes it of")
    size, eps = layers["nn.MulConstant"].number("constant_scalar", 1), layers["nn.Normalize"].number("eps", 1e-10)
    parameters = []
    if "nn.CMul" in layers and "nn.Add" in layers:
        parameters = [layers["nn.CMul"].array("weight", 1), layers["nn.Add"].array("bias", 1)]
    size = parameters[0].size if parameters else round(min(abs(size), 2**15) ** 2)
    return own.make("LayerNormalization", size, eps=eps, affine=bool(parameters), parameters=parameters)


def _dropout(own: _Own) -> Any:
    if not own.flag("v2", True) and own.number("p", 0.5):
        raise own.refuse("outputs that are scaled in evaluate mode", "a version 2, which scales them in training")
    return _with(p=("p", 0.5), lazy=("lazy", False), mono=("mono", False))(own)


def _relu(own: _Own) -> Any:
    own.expect("threshold", 0)
    own.expect("val", 0)
    return own.make("ReLU")


def _soft_plus(own: _Own) -> Any:
    own.expect("threshold", 20)
    return _with(beta=("beta", 1))(own)


def _sqrt(own: _Own) -> Any:
    own.expect("eps", 0)
    return own.make("Sqrt")


def _nce_module(own: _Own) -> Any:
    weight, unigrams = own.array("weight", 2), own.array("unigrams", 1)
    z = own.array("Z", 1)[0] if own.has_array("Z") else 1  # old files have none, and were not normalised
    flags = {"batch_noise": own.flag("batchnoise"), "normalized": own.flag("normalized")}
    options = {"Z": float(z), "log_softmax": own.flag("logsoftmax"), **flags}
    sizes = weight.shape[1], weight.shape[0], own.whole("k", 0)
    return own.make("NCEModule", *sizes, unigrams, parameters=[weight, own.array("bias", 1)], **options)


def _reinforce(own: _Own) -> Any:
    """Make a module that draws from distributions with a parameter that may be in the file."""
    name = {"ReinforceNormal": "stdev", "ReinforceGamma": "scale"}[own.name]
    value = np.array(own.array(name, 1, 2, 3)) if own.has_array(name) else own.number(name)
    return own.make(own.name, value, own.flag("stochastic"))


def _spatial_glimpse(own: _Own) -> Any:
    depth = own.whole("depth", 3)
    if depth > 64:
        raise own.refuse(f"depth = {depth}", "at most 64 patches")
    return own.make("SpatialGlimpse", own.whole("size"), depth, own.number("scale", 2))


# ---- axes and shapes -----------------------------------------------------------------------------------------------


def _reduction(own: _Own) -> Any:
    options: dict[str, Any] = {}
    if own.name == "Sum" and own.flag("sizeAverage"):
        options["size_average"] = True
    if not own.flag("squeeze", True):
        options["squeeze"] = False
    return own.make(own.name, own.axis(), **options)


def _arg_max(own: _Own) -> Any:
    has_batch = own.whole("nInputDim", 9999) < 9999  # the original's word for inputs of any number of dimensions
    return own.make("ArgMax", own.axis("dim", "nInputDim") if has_batch else own.index("dim"))


def _padding(own: _Own) -> Any:
    own.expect("index", 1)
    return own.make("Padding", own.axis("dim", "nInputDim"), own.whole("pad"), own.number("value", 0))


def _reshape(own: _Own) -> Any:
    sizes = own.sizes("size")
    if own.name == "Reshape":
        keeps = own.flag("batchMode") if "batchMode" in own.fields else None
        return own.make("Reshape", *sizes, batch=keeps)
    if "numInputDims" in own.fields:
        return own.make("View", *sizes, n_input_dims=own.whole("numInputDims"))
    # Without a -1, rows of a batch that have as many elements as the sizes say stay rows.
    return own.make("View" if -1 in sizes else "Reshape", *sizes)


def _transpose(own: _Own) -> Any:
    swaps = own.items("permutations")
    if not all(isinstance(swap, Table) and set(swap) == {1, 2} for swap in swaps):
        raise own.refuse(f"permutations = {shown(own.fields['permutations'])}", "a table of pairs")
    axes = [[own.axis_of("permutations", swap[k], "numInputDims") for k in (1, 2)] for swap in swaps]
    return own.make("Transpose", *map(tuple, axes))


def _mixture_table(own: _Own) -> Any:
    own.expect("dim", None, 1, 2)  # the features of a sample, or of a batch
    return own.make("MixtureTable")


# ---- containers and graphs -----------------------------------------------------------------------------------------


def _made_of_parts(own: _Own) -> Any:
    return own.make(own.name, *own.parts())


def _module_inside(own: _Own) -> Any:
    """Make what is inside an object that adds nothing here."""
    return own.part(own.inner("module"))


def _bottle(own: _Own) -> Any:
    module = own.part(own.inner("module"))
    if not module.row_wise:
        raise own.refuse(f"a {type(module).__name__} inside", "a module that takes any number of leading dimensions")
    return module


def _graph(own: _Own) -> Any:
    """Make a graph of nngraph.

    A node is known by its data: a table with its module, if it has one, and with the data of the nodes that it reads.
    """
    from numrnn.graph import Input, Node

    inputs = {id(data): Input() for data in _entries(own)}
    values: dict[int, Node] = {}
    for data in _sorted_nodes(own):
        entry = inputs.get(id(data))
        given = [values[id(source)] for source in _sources(own, data)] if entry is None else [entry]
        module, index = data.get("module", data.get("criterion")), data.get("selectindex")
        if not given or not isinstance(module, TorchObject | None):
            raise own.refuse("a node that reads nothing, or has something else for a module", "nodes of nngraph")
        if module is not None and module.class_name != "nn.Identity":
            values[id(data)] = Node(own.part(module), given[0] if len(given) == 1 else given).annotate(_name_of(data))
        elif index is not None and entry is None:
            values[id(data)] = Node(own.make("SelectTable", own.position("selectindex", index)), given[0])
        else:
            values[id(data)] = given[0] if len(given) == 1 else Node(own.make("Identity"), given)
    outputs = [values[id(data)] for data in _sources(own, _data_of(own, own.object("outnode")))]
    return own.make("Graph", *(nodes[0] if len(nodes) == 1 else nodes for nodes in (list(inputs.values()), outputs)))


def _data_of(own: _Own, node: Any) -> Table:
    data = node.fields.get("data") if isinstance(node, TorchObject) else None
    if not isinstance(data, Table):
        raise own.refuse(f"{shown(node)} as a node", "a node of nngraph, which has data")
    return data


def _name_of(data: Table) -> str:
    annotations = data.get("annotations")
    name = annotations.get("name") if isinstance(annotations, Table) else None
    return name if isinstance(name, str) else ""


def _sources(own: _Own, data: Table) -> list[Table]:
    """Return the data of the nodes that a node reads, in order."""
    sources = own.in_order(data.get("mapindex"))
    if not all(isinstance(source, Table) for source in sources):
        raise own.refuse("a node that reads something else", "nodes that read nodes")
    return sources


def _entries(own: _Own) -> list[Table]:
    """Return the data of the nodes where inputs enter, in order."""
    start = own.object("innode")
    if old := _sources(own, _data_of(own, start)):  # old files list them there
        return old
    count = own.whole("nInputs", 1)
    if count == 1:
        return [_data_of(own, start)]
    split = own.in_order(start.fields.get("children"))
    nodes = own.in_order(split[0].fields.get("children")) if split and isinstance(split[0], TorchObject) else []
    found = [_data_of(own, node) for node in nodes]
    indices = [data.get("selectindex") for data in found]
    is_split = len(found) == count and all(type(index) is int for index in indices)
    if not is_split or sorted(indices) != list(range(1, count + 1)):
        raise own.refuse("inputs that are not split", "a node for each of several inputs")
    by_index = dict(zip(indices, found, strict=True))
    return [by_index[k + 1] for k in range(count)]


def _sorted_nodes(own: _Own) -> list[Table]:
    """Return the data of the nodes that the outputs depend on, each after those it reads."""
    entries = {id(data) for data in _entries(own)}
    begun, found = set(), dict[int, Table]()
    waiting = [(data, False) for data in _sources(own, _data_of(own, own.object("outnode")))]
    while waiting:
        data, is_ready = waiting.pop()
        if is_ready:
            found[id(data)] = data
        elif id(data) not in found:
            if id(data) in begun:
                raise own.refuse("a node that reads what it gives", "a graph without cycles")
            begun.add(id(data))
            waiting.append((data, True))
            if id(data) not in entries:
                waiting += [(source, False) for source in _sources(own, data)]
    return list(found.values())


# ---- recurrent modules ---------------------------------------------------------------------------------------------
# The two packages differ in names: what is stepped is in `recurrentModule` or the first of `modules`, and the number of
# remembered steps in `rho` or `seqlen`.


def _rho(own: _Own) -> dict[str, int]:
    """Return `rho` as an option, if there is one."""
    value = own.whole("rho" if "rho" in own.fields else "seqlen")
    return {} if value is None else {"rho": value}


def _step(own: _Own) -> tuple[TorchObject, tuple[Any, ...]]:
    """Return what is stepped, and the call that masks it: `maskZero` and `trimZero` put a module around it."""
    step = own.inner("recurrentModule")
    methods = {"nn.MaskZero": "mask_zero", "nn.TrimZero": "trim_zero"}
    if step.class_name not in methods:
        return step, ()
    mask = own.of(step)
    if mask.inner("module").class_name in methods:
        raise own.refuse("a mask inside a mask", "one mask")
    call = () if mask.flag("v2") else (methods[step.class_name], mask.whole("nInputDim", 1))
    return mask.inner("module"), call


def _finished(own: _Own, made: Any, mask: tuple[Any, ...]) -> Any:
    """Return a recurrent module after it was given its mask and its start state."""
    if mask:
        own.call(made, *mask)
    start = own.fields.get("startState")
    if start is None:
        given = [own.fields.get(name) for name in ("userPrevOutput", "userPrevCell")]
    else:
        given = own.in_order(start) if isinstance(start, Table) else [start]
    is_empty = [value is None or (isinstance(value, np.ndarray) and not value.size) for value in given]
    states = [None if is_empty[k] else own.checked("a start state", value, 1, 2) for k, value in enumerate(given)]
    if not all(is_empty):
        count = len(getattr(made, "states", "h"))
        states = [None if state is None else state.astype(made.dtype) for state in states]
        own.call(made, "set_hidden_state", 0, states[:count] + [None] * (count - len(states)))
    return made


def _cell(own: _Own) -> Any:
    """Make a cell from the parameters of the layers that its step is made of."""
    step, mask = _step(own)
    options: dict[str, Any] = _rho(own)
    if own.number("p", 0):
        options |= {"p": own.number("p")} | ({"mono": True} if own.flag("mono") else {})
    return _finished(own, _CELLS[own.name](own, step, options), mask)


def _layers(own: _Own, step: TorchObject) -> list[_Own]:
    """Return the layers with parameters in an object, in the order of the original's `parameters()`."""
    found: list[_Own] = []
    waiting, seen = [step], set()
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        layer = own.of(value)
        if value.class_name == "nn.gModule":
            modules = [data.get("module") for data in _sorted_nodes(layer)]
            waiting += [module for module in modules[::-1] if isinstance(module, TorchObject)]
        elif "modules" in value.fields:
            waiting += layer.objects()[::-1]
        elif layer.has_array("weight") or layer.has_array("bias"):
            found.append(layer)
    return found


def _parameters(layers: Iterable[_Own]) -> list[np.ndarray]:
    """Return the weights and biases of layers."""
    names = [(layer, name) for layer in layers for name in ("weight", "bias") if layer.has_array(name)]
    return [layer.array(name, 1, 2) for layer, name in names]


def _sizes_of(own: _Own, arrays: list[np.ndarray]) -> tuple[int, ...]:
    """Return the shape of the first parameter, which is a matrix."""
    if not arrays or arrays[0].ndim != 2:
        raise own.refuse(f"parameters of shapes {_listed(a.shape for a in arrays)}", "a matrix first")
    return arrays[0].shape


def _gate(input_size: int, size: int, peephole: bool = False) -> list[tuple[int, ...]]:
    return [(size, input_size), (size,), (size, size)] + [(size,)] * peephole


def _lstm(own: _Own, step: TorchObject, options: dict[str, Any]) -> Any:
    arrays = _parameters(_layers(own, step))
    size, input_size = _sizes_of(own, arrays)
    peepholes = own.flag("cell2gate", True)
    gate = _gate(input_size, size, peepholes)
    own.expect_shapes(arrays, gate + gate + _gate(input_size, size) + gate)
    return own.make("LSTM", input_size, size, cell2gate=peepholes, parameters=arrays, **options)


def _fast_lstm(own: _Own, step: TorchObject, options: dict[str, Any]) -> Any:
    layers = _layers(own, step)
    if any(layer.name == "BatchNormalization" for layer in layers):
        return _batch_normalized_lstm(own, step, options)
    arrays = _parameters(sorted(layers, key=lambda layer: layer.name))  # those of the input first, also in a graph
    rows, input_size = _sizes_of(own, arrays)
    if "p" in options:  # with dropout, each gate has maps of its own
        size, shapes = rows, [(rows, input_size), (rows,)] * 4 + [(rows, rows)] * 4
    else:
        size = rows // 4
        shapes = [(4 * size, input_size), (4 * size,), (4 * size, size)]
    own.expect_shapes(arrays, shapes)
    return own.make("FastLSTM", input_size, size, parameters=arrays, **options)


def _batch_normalized_lstm(own: _Own, step: TorchObject, options: dict[str, Any]) -> Any:
    """Make it from a graph, in which a normalisation is known by what it reads."""
    graph, layers = own.of(step), dict[str, _Own]()
    for data in _sorted_nodes(graph):
        module, sources = data.get("module"), _sources(graph, data)
        if isinstance(module, TorchObject) and sources:
            of = f" of {shown(sources[0].get('module'))}" if module.class_name == "nn.BatchNormalization" else ""
            layers[module.class_name + of] = own.of(module)
    names = [f"nn.BatchNormalization of nn.{name}" for name in ("Linear", "LinearNoBias", "CAddTable")]
    in_order = ["nn.Linear", names[0], "nn.LinearNoBias", names[1], "nn.Add", names[2]]
    if not layers.keys() >= set(in_order) or "p" in options:
        raise own.refuse(f"layers {_listed(layers)}", f"{_listed(in_order)}, without dropout")
    arrays = _parameters(layers[name] for name in in_order)
    rows, input_size = _sizes_of(own, arrays)
    size, first = rows // 4, layers[names[0]]
    maps = [[(4 * size, columns), *[(4 * size,)] * count] for columns, count in ((input_size, 3), (size, 3))]
    own.expect_shapes(arrays, [*maps[0], *maps[1], (size,), (size,)])
    options |= {"eps": first.number("eps", 1e-5), "momentum": first.number("momentum", 0.1)}
    made = own.make("BatchNormalizedLSTM", input_size, size, parameters=arrays, **options)
    for name, (buffer, value) in zip([name for name in names for _ in range(2)], made.named_buffers(), strict=True):
        average = layers[name].array(buffer.rpartition(".")[2], 1)
        own.expect_shapes([average], [value.shape])
        value[...] = average
    return made


def _gru(own: _Own, step: TorchObject, options: dict[str, Any]) -> Any:
    arrays = _parameters(_layers(own, step))
    rows, input_size = _sizes_of(own, arrays)
    if "p" in options:
        size, gates = rows, [(rows, input_size), (rows,)] * 2 + [(rows, rows)] * 2
    else:
        size = rows // 2
        gates = [(2 * size, input_size), (2 * size,), (2 * size, size)]
    own.expect_shapes(arrays, gates + _gate(input_size, size))
    return own.make("GRU", input_size, size, parameters=arrays, **options)


def _mufuru(own: _Own, step: TorchObject, options: dict[str, Any]) -> Any:
    arrays = _parameters(_layers(own, step))
    size, input_size = _sizes_of(own, arrays)
    operations, both = own.items("ops"), input_size + size
    outputs = [size, len(operations) * size]
    reset = [(size, input_size), (size,), (size, size), (size,)]
    own.expect_shapes(arrays, reset + [shape for rows in outputs for shape in ((rows, both), (rows,))])
    return own.make("MuFuRu", input_size, size, operations, parameters=arrays, **options)


_CELLS = {"LSTM": _lstm, "FastLSTM": _fast_lstm, "GRU": _gru, "MuFuRu": _mufuru}


def _joint(own: _Own) -> tuple[list[int], list[np.ndarray]]:
    """Return the sizes and the parameters of a cell with one weight: in SeqLSTM, StepGRU and the like."""
    weight, bias = own.array("weight", 2), own.array("bias", 1)
    size = weight.shape[1] // (3 if "GRU" in own.name else 4)
    projection = [own.array("weightO", 2)] if own.has_array("weightO") else []
    output_size = projection[0].shape[1] if projection else size
    own.expect_shapes([bias, *projection], [weight.shape[1:], (size, output_size)][: 1 + len(projection)])
    sizes = [len(weight) - output_size, size, output_size]
    return sizes[: 2 + len(projection)], [weight, bias, *projection]


def _takes_zeros_for_padding(own: _Own) -> bool:
    return own.flag("maskzero") and not own.flag("v2")  # in version 2, masks are given


def _step_module(own: _Own) -> Any:
    if own.flag("maskzero"):
        raise own.refuse("a mask", f"masks in the recurrent module around a {own.name}")
    sizes, arrays = _joint(own)
    return own.make(own.name, *sizes, parameters=arrays)


def _rec_cell(own: _Own) -> Any:
    step, mask = _step(own)
    sizes, arrays = _joint(own.of(step))
    made = own.make(own.name, *sizes, parameters=arrays, **_rho(own))
    return _finished(own, made, ("mask_zero",) if _takes_zeros_for_padding(own.of(step)) else mask)


def _recurrent(own: _Own) -> Any:
    names = ("start", "input", "feedback", "transfer", "merge")
    parts = {name: own.part(own.object(f"{name}Module")) for name in names}
    return own.make("Recurrent", **parts, **_rho(own))


def _recurrence(own: _Own) -> Any:
    step, mask = _step(own)
    size = _nested_sizes(own, own.fields.get("outputSize"))
    return _finished(own, own.make("Recurrence", own.part(step), size, own.whole("nInputDim"), **_rho(own)), mask)


def _nested_sizes(own: _Own, size: Any) -> Any:
    """Return a size, or a list of sizes, or of lists."""
    if isinstance(size, np.ndarray):
        return own.checked("outputSize", size, 1).tolist()
    return [_nested_sizes(own, element) for element in own.in_order(size)] if isinstance(size, Table) else size


def _linear_rnn(own: _Own) -> Any:
    step, mask = _step(own)
    _, layer, transfer = [*own.of(step).objects(), None, None, None][:3]
    if transfer is None or transfer.class_name not in ("nn.Sigmoid", "nn.Tanh", "nn.ReLU"):
        return _recurrence(own)
    arrays = _parameters([own.of(layer)])
    rows, columns = _sizes_of(own, arrays)
    made = own.make("LinearRNN", columns - rows, rows, own.part(transfer), parameters=arrays, **_rho(own))
    return _finished(own, made, mask)


def _lookup_rnn(own: _Own) -> Any:
    step, mask = _step(own)
    layers = _layers(own, step)
    if not layers or layers[0].name != "LookupTableMaskZero":  # in old files, no word is padding
        return _recurrence(own)
    rows, size = layers[0].array("weight", 2).shape
    own.expect_shapes(_parameters(layers[1:2])[:1], [(size, size)])
    made = own.make("LookupRNN", rows - 1, size, **_rho(own))
    made.add_child("step", own.part(step))  # with the original's parts
    return _finished(own, made, mask)


# ---- sequences -----------------------------------------------------------------------------------------------------


def _without_recursor(own: _Own, value: TorchObject) -> Any:
    """Make a module of one step: the original puts a Recursor around what has no memory, numrnn needs none."""
    return own.part(own.of(value).inner("recurrentModule") if value.class_name == "nn.Recursor" else value)


def _repeater(own: _Own) -> Any:
    steps = next((own.whole(name) for name in ("nStep", "seqlen") if name in own.fields), own.whole("rho"))
    return own.make("Repeater", _without_recursor(own, own.inner("module", "rnn")), steps)


def _recurrent_attention(own: _Own) -> Any:
    own.expect("forwardActions", False)
    modules = [_without_recursor(own, own.object(name)) for name in ("rnn", "action")]
    return own.make("RecurrentAttention", *modules, own.whole("nStep"), own.sizes("hiddenSize"))


def _masked(own: _Own) -> Any:
    own.expect("maskoutput", True)
    return own.make(own.name, own.part(own.inner("module")), own.whole("nInputDim", 1))


def _seq_cell(own: _Own) -> Any:
    sizes, arrays = _joint(own)
    flags = {"batch_first": own.flag("batchfirst"), "mask_zero": _takes_zeros_for_padding(own)}
    name = "SeqLSTMP" if len(sizes) > 2 else own.name
    return own.make(name, *sizes, parameters=arrays, **{flag: True for flag in flags if flags[flag]})


def _reversed_inside(own: _Own) -> TorchObject:
    """Return what stands between a module that reverses a sequence, and another one."""
    modules = own.of(own.inner("module")).objects()
    if len(modules) != 3:
        raise own.refuse(f"{len(modules)} modules in a row inside", "one between two that reverse the sequence")
    return modules[1]


def _bi_sequencer(own: _Own) -> Any:
    if "forwardModule" not in own.fields:
        forward, backward, merge = _both_directions(own)
        return own.make(own.name, own.part(forward), own.part(backward), _merge_of_sequences(own, merge))
    # the Sequencers around the modules say whether they remember
    names = (("fwdSeq", "forwardModule"), ("bwdSeq", "backwardModule"), ("mergeModule",))
    return own.make(own.name, *(_without_recursor(own, own.inner(*name)) for name in names))


def _both_directions(own: _Own) -> tuple[TorchObject, TorchObject, TorchObject]:
    """Return the modules of both directions and the merge module of Sequential(ConcatTable(., .), merge)."""
    modules = own.of(own.inner("module")).objects()
    if modules and modules[0].class_name == "nn.Transpose":  # batch first
        modules = modules[1:-1]
    directions = own.of(modules[0]).objects() if len(modules) == 2 else []
    if len(directions) != 2:
        raise own.refuse("other modules inside", "two directions and a merge module")
    backward = own.of(directions[1])
    is_unnamed = directions[1].class_name == "nn.Sequential"
    inside = backward.objects()[1:2] if is_unnamed else [_reversed_inside(backward)]
    if not inside:
        raise own.refuse("no module in the backward direction", "one")
    return directions[0], inside[0], modules[1]


def _merge_of_sequences(own: _Own, value: TorchObject) -> Any:
    """Make a merge module of one step from one of whole sequences, whose dimensions count the time, too."""
    merge = own.of(value)
    if value.class_name == "nn.JoinTable" and merge.whole("nInputDims", 0) <= 0 and merge.whole("dimension", 0) > 1:
        return own.make("JoinTable", merge.index("dimension") - 1)
    if value.class_name == "nn.Sequential":
        parts = merge.objects()
        if [part.class_name for part in parts] != ["nn.ZipTable", "nn.Sequencer"]:
            raise own.refuse("a merge module of several layers", "ZipTable and a Sequencer, or one layer")
        return _without_recursor(own, own.of(parts[1]).inner("module"))
    return own.part(value)


def _seq_brnn(own: _Own) -> Any:
    """Make SeqBRNN, SeqBLSTM or SeqBGRU, with the modules of both directions in place of its own."""
    forward, backward, merge = _both_directions(own)
    sizes, _ = _joint(own.of(forward))
    is_batch_first = own.of(own.inner("module")).objects()[0].class_name == "nn.Transpose"
    options = {"batch_first": True} if is_batch_first else {}
    sizes = sizes[: 3 if own.name == "SeqBLSTM" else 2]
    made = own.make(own.name, *sizes, merge=_merge_of_sequences(own, merge), **options)
    for name, value in (("forward", forward), ("backward", backward)):
        part = own.part(value)
        if type(part) is not type(made.named_children()[0][1]):
            raise own.refuse(f"a {type(part).__name__} inside", f"what a {own.name} has for each direction")
        made.add_child(name, part)
    return made


# ---- criterions --------------------------------------------------------------------------------------------------


def _weighted(own: _Own, name: str = "") -> Any:
    """Make a criterion that may have weights of the classes or features."""
    options: dict[str, Any] = {"size_average": own.flag("sizeAverage", True)}
    if own.has_array("weights"):
        options["weights"] = own.array("weights", 1).copy()
    if own.whole("ignoreIndex", -100) != -100:
        options["ignore_index"] = own.index("ignoreIndex")
    if own.name == "MultiMarginCriterion":
        options |= {"p": own.whole("p", 1), "margin": own.number("margin", 1)}
    return own.make(name or own.name, **options)


def _cross_entropy(own: _Own) -> Any:
    return _weighted(own.of(own.object("nll")), own.name)


def _of_steps(own: _Own) -> Any:
    """Make a criterion around another one, which is in a field or the first of the clones for the steps."""
    criterion = own.object("criterion") if "criterion" in own.fields else (own.objects("clones") or [None])[0]
    if criterion is None:
        raise own.refuse("no criterion inside", "one")
    return own.make(own.name, own.part(criterion, "Criterion"), size_average=own.flag("sizeAverage"))


def _module_criterion(own: _Own) -> Any:
    names = ("inputModule", "targetModule")
    modules = [own.part(own.object(name)) if name in own.fields else None for name in names]
    return own.make("ModuleCriterion", own.part(own.object("criterion"), "Criterion"), *modules)


def _several_criterions(own: _Own) -> Any:
    criterions, weights = own.objects("criterions"), own.items("weights")
    if len(weights) != len(criterions) or not all(type(weight) in (int, float) for weight in weights):
        raise own.refuse(f"weights {_listed(weights)}", f"a number for each of {len(criterions)} criterions")
    made = own.make(own.name, **({"repeat_target": True} if own.flag("repeatTarget") else {}))
    for criterion, weight in zip(criterions, weights, strict=True):
        own.call(made, "add", own.part(criterion, "Criterion"), weight)
    return made


def _class_reward(own: _Own) -> Any:
    own.expect("sizeAverage", True)
    module, criterion = own.part(own.object("module")), own.part(own.object("criterion"), "Criterion")
    return own.make(own.name, module, own.number("scale", 1), criterion)


def _nce_criterion(own: _Own) -> Any:
    own.expect("sizeAverage", True)
    return own.make("NCECriterion")


_AVERAGING = _with(size_average=("sizeAverage", True))

# fmt: off
_PLAIN = (
    "Abs", "CAddTable", "CDivTable", "CMaxTable", "CMinTable", "CMulTable", "CSubTable", "CopyGrad", "DotProduct",
    "Exp", "ExpandAs", "FlattenTable", "Identity", "Log", "LogSigmoid", "LogSoftMax", "ReLU6", "ReverseSequence",
    "ReverseTable", "Sigmoid", "SoftMax", "SoftMin", "SoftSign", "Square", "Tanh", "TanhShrink", "ZeroGrad",
    "ZipTable",
)
# fmt: on
"""Classes without arguments, parameters or parts."""

_MAKERS: dict[str, _Maker] = {
    **dict.fromkeys(_PLAIN, _plain),
    "AbsCriterion": _AVERAGING,
    "Add": _add,
    "AddConstant": _with(constant="constant_scalar"),
    "ArgMax": _arg_max,
    "BCECriterion": _weighted,
    "BatchNormalization": _batch_normalization,
    "BiSequencer": _bi_sequencer,
    "BiSequencerLM": _bi_sequencer,
    "Bilinear": _bilinear,
    "BinaryClassReward": _class_reward,
    "BinaryLogisticRegression": _AVERAGING,
    "Bottle": _bottle,
    "CMul": _c_mul,
    "Clamp": _with(min_value="min_val", max_value="max_val"),
    "ClassNLLCriterion": _weighted,
    "Clip": _with(min_value="minval", max_value="maxval"),
    "Collapse": lambda own: own.make("View", -1, n_input_dims=own.whole("nInputDim")),
    "Concat": lambda own: own.make("Concat", own.axis(), *own.parts()),
    "ConcatTable": _made_of_parts,
    "Contiguous": _with("Identity"),
    "Copy": _with("Identity"),
    "CrossEntropyCriterion": _cross_entropy,
    "Decorator": _module_inside,
    "DistKLDivCriterion": _AVERAGING,
    "DontCast": _module_inside,
    "Dropout": _dropout,
    "ELU": _with(alpha=("alpha", 1)),
    "FastLSTM": _cell,
    "GPU": _module_inside,
    "GRU": _cell,
    "HardShrink": _with(size=("lambda", 0.5)),
    "HardTanh": _with(min_value=("min_val", -1), max_value=("max_val", 1)),
    "JoinTable": lambda own: own.make(own.name, own.axis()),
    "LSTM": _cell,
    "LayerNormalization": _layer_normalization,
    "LeakyReLU": _with(slope=("negval", 0.01)),
    "Linear": _linear,
    "LinearNoBias": _linear,
    "LinearRNN": _linear_rnn,
    "LookupRNN": _lookup_rnn,
    "LookupTable": _lookup_table,
    "LookupTableMaskZero": _lookup_table,
    "MM": _with(trans_a=("transA", False), trans_b=("transB", False)),
    "MSECriterion": _AVERAGING,
    "MapTable": lambda own: own.make("MapTable", own.part(own.inner("module"))),
    "MarginCriterion": _with(margin=("margin", 1), size_average=("sizeAverage", True)),
    "MaskZero": _masked,
    "MaskZeroCriterion": lambda own: own.make(
        "MaskZeroCriterion", own.part(own.object("criterion"), "Criterion"), own.whole("nInputDim", 1)
    ),
    "Max": _reduction,
    "Mean": _reduction,
    "Min": _reduction,
    "MixtureTable": _mixture_table,
    "ModuleCriterion": _module_criterion,
    "MuFuRu": _cell,
    "Mul": lambda own: own.make("Mul", parameters=[own.array("weight", 1)]),
    "MulConstant": _with(constant="constant_scalar"),
    "MultiCriterion": _several_criterions,
    "MultiMarginCriterion": _weighted,
    "NCECriterion": _nce_criterion,
    "NCEModule": _nce_module,
    "Narrow": lambda own: own.make("Narrow", own.axis(), own.index("index"), own.whole("length", 1)),
    "NarrowTable": lambda own: own.make("NarrowTable", own.index("offset"), own.whole("length", 1)),
    "NormStabilizer": lambda own: own.make("NormStabilizer", own.number("beta", 1), **_rho(own)),
    "PReLU": _prelu,
    "Padding": _padding,
    "ParallelCriterion": _several_criterions,
    "ParallelTable": _made_of_parts,
    "Power": _with(exponent="pow"),
    "ReLU": _relu,
    "RecGRU": _rec_cell,
    "RecLSTM": _rec_cell,
    "Recurrence": _recurrence,
    "Recurrent": _recurrent,
    "RecurrentAttention": _recurrent_attention,
    "Recursor": lambda own: own.make("Recursor", own.part(own.inner("recurrentModule")), **_rho(own)),
    "ReinforceBernoulli": _with(stochastic=("stochastic", False)),
    "ReinforceCategorical": _with(stochastic=("stochastic", False)),
    "ReinforceGamma": _reinforce,
    "ReinforceNormal": _reinforce,
    "Repeater": _repeater,
    "RepeaterCriterion": _of_steps,
    "Reshape": _reshape,
    "ReverseUnreverse": lambda own: own.make("ReverseUnreverse", own.part(_reversed_inside(own))),
    "SAdd": _with(addend="addend", negate=("negate", False)),
    "Select": lambda own: own.make("Select", own.axis(), own.index("index")),
    "SelectTable": lambda own: own.make("SelectTable", own.index("index")),
    "SeqBGRU": _seq_brnn,
    "SeqBLSTM": _seq_brnn,
    "SeqBRNN": _seq_brnn,
    "SeqGRU": _seq_cell,
    "SeqLSTM": _seq_cell,
    "SeqLSTMP": _seq_cell,
    "SeqReverseSequence": lambda own: own.make("SeqReverseSequence", own.axis("dim")),
    "Sequencer": lambda own: own.make("Sequencer", _without_recursor(own, own.inner("module"))),
    "SequencerCriterion": _of_steps,
    "Sequential": _made_of_parts,
    "Serial": _module_inside,
    "SmoothL1Criterion": _AVERAGING,
    "SoftMarginCriterion": _AVERAGING,
    "SoftPlus": _soft_plus,
    "SoftShrink": _with(size=("lambda", 0.5)),
    "SpatialGlimpse": _spatial_glimpse,
    "SplitTable": lambda own: own.make(own.name, own.axis()),
    "Sqrt": _sqrt,
    "Squeeze": lambda own: own.make("Squeeze", own.axis("dim", "numInputDims")),
    "StepGRU": _step_module,
    "StepLSTM": _step_module,
    "Sum": _reduction,
    "Threshold": _with(threshold="threshold", value="val"),
    "TotalDropout": _with(p=("p", 0.5)),
    "Transpose": _transpose,
    "TrimZero": _masked,
    "Unsqueeze": lambda own: own.make("Unsqueeze", own.axis("pos", "numInputDims", more=1)),
    "VRClassReward": _class_reward,
    "VariableLength": lambda own: own.make("VariableLength", own.part(own.inner("module")), own.flag("lastOnly")),
    "View": _reshape,
    "gModule": _graph,
    "nngraph.JustElement": lambda own: own.make("SelectTable", 0),
    "nngraph.JustTable": lambda own: own.make("ConcatTable", own.make("Identity")),
}
"""By the name of the original's class."""

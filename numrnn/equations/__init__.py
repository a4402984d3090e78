"""Equations: what cells are written in.

`symbols` records a cell's equations, `derive` finds phases and gradients, `emit` writes the blocks. See README.md in
this folder.
"""

from numrnn.equations.symbols import (
    bernoulli as bernoulli,
)
from numrnn.equations.symbols import (
    cos as cos,
)
from numrnn.equations.symbols import (
    dropout as dropout,
)
from numrnn.equations.symbols import (
    exp as exp,
)
from numrnn.equations.symbols import (
    greater as greater,
)
from numrnn.equations.symbols import (
    linear as linear,
)
from numrnn.equations.symbols import (
    log as log,
)
from numrnn.equations.symbols import (
    maximum as maximum,
)
from numrnn.equations.symbols import (
    mean as mean,
)
from numrnn.equations.symbols import (
    minimum as minimum,
)
from numrnn.equations.symbols import (
    parameter as parameter,
)
from numrnn.equations.symbols import (
    peephole as peephole,
)
from numrnn.equations.symbols import (
    relu as relu,
)
from numrnn.equations.symbols import (
    share as share,
)
from numrnn.equations.symbols import (
    sigmoid as sigmoid,
)
from numrnn.equations.symbols import (
    sin as sin,
)
from numrnn.equations.symbols import (
    softplus as softplus,
)
from numrnn.equations.symbols import (
    spread as spread,
)
from numrnn.equations.symbols import (
    sqrt as sqrt,
)
from numrnn.equations.symbols import (
    tanh as tanh,
)
from numrnn.equations.symbols import (
    total as total,
)

"""The processor's peak: fused multiply-adds in registers, nothing else."""

from __future__ import annotations

from llvmlite import ir
from numba import njit
from numba.core import cgutils, types
from numba.extending import intrinsic

from benchmarks.timing import Contestant
from benchmarks.works import Product
from numrnn.kernels.cpu.machine import VECTOR_BITS

CHAINS = 12
"""Enough to keep two units of four cycles' latency busy, and few enough for sixteen registers."""
LANES = VECTOR_BITS // 32

_threads = 1


def use_threads(count: int) -> None:
    global _threads
    _threads = count


@intrinsic
def multiply_add(typing_context, factor, term, rounds):
    """Run x = x * factor + term in all chains, `rounds` times, and return the sum of everything."""
    return types.float32(types.float32, types.float32, types.intp), _emit


def _emit(context, builder, signature, args):
    vector, index = ir.VectorType(ir.FloatType(), LANES), args[2].type
    fma = cgutils.get_or_insert_function(builder.module, ir.FunctionType(vector, [vector] * 3), f"llvm.fma.v{LANES}f32")
    undefined, zeros = ir.Constant(vector, ir.Undefined), ir.Constant(ir.VectorType(ir.IntType(32), LANES), None)
    lane = ir.Constant(ir.IntType(32), 0)
    factor, term = (
        builder.shuffle_vector(builder.insert_element(undefined, arg, lane), undefined, zeros) for arg in args[:2]
    )
    before, loop, after = builder.block, builder.append_basic_block("loop"), builder.append_basic_block("after")
    builder.branch(loop)
    builder.position_at_end(loop)
    count, chains = builder.phi(index), [builder.phi(vector) for _ in range(CHAINS)]
    following = builder.add(count, ir.Constant(index, 1))
    results = [builder.call(fma, [chain, factor, term]) for chain in chains]
    count.add_incoming(ir.Constant(index, 0), before)
    count.add_incoming(following, loop)
    for number, (chain, result) in enumerate(zip(chains, results, strict=True)):
        start = [float(number + each) for each in range(LANES)]  # equal lanes would be computed as one
        chain.add_incoming(ir.Constant(vector, start), before)
        chain.add_incoming(result, loop)
    builder.cbranch(builder.icmp_signed("<", following, args[2]), loop, after)
    builder.position_at_end(after)
    total = results[0]
    for result in results[1:]:
        total = builder.fadd(total, result)
    lanes = [builder.extract_element(total, ir.Constant(ir.IntType(32), each)) for each in range(LANES)]
    number = lanes[0]
    for each in lanes[1:]:
        number = builder.fadd(number, each)
    return number


@njit
def work_in_registers(rounds):
    return multiply_add(0.5, 1.0, rounds)


def prepare(work: Product, name: str) -> Contestant:
    """Return one core's share of the operations: what perfect threads would need."""
    rounds = max(1, round(work.flops / (2 * LANES * CHAINS) / _threads))
    return Contestant(lambda: work_in_registers(rounds))

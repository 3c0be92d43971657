"""The matrix products of a computation, alone: what it could be if all else cost nothing."""

import time

import torch
from torch.utils._python_dispatch import TorchDispatchMode

aten = torch.ops.aten


class Recorder(TorchDispatchMode):
    """Notes every product that runs as [batch, m, k, n]."""

    def __init__(self):
        super().__init__()
        self.products = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        operands = {aten.mm: 0, aten.bmm: 0, aten.addmm: 1, aten.baddbmm: 1}.get(function.overloadpacket)
        if operands is not None:
            left, right = args[operands : operands + 2]
            batch = left.shape[0] if left.dim() == 3 else 1
            self.products.append((batch, left.shape[-2], left.shape[-1], right.shape[-1]))
        elif "scaled_dot_product" in str(function):
            self.attention(args, backward="backward" in str(function))
        return function(*args, **(kwargs or {}))

    def attention(self, args, backward):
        """Fused attention: 2 products forwards, and 4 backwards besides what it computes again."""
        query, key = args[1:3] if backward else args[:2]
        batch, heads, length, width = query.shape
        square, narrow = (length, width, key.shape[2]), (length, key.shape[2], width)
        for product in (square, narrow) * (2 if backward else 1):
            self.products.append((batch * heads, *product))


class Products:
    """Products in their plain layout, float32, with operands of their own; those of equal shapes take turns with 4."""

    def __init__(self, products, device):
        self.products = products
        self.device = device
        self.flops = sum(2 * b * m * k * n for b, m, k, n in products)
        self.operands = {}

    def run(self):
        """Run them all once. Operands are made when it is asked for first: few tasks are ever asked."""
        for b, m, k, n in self.products:
            if (b, m, k, n) not in self.operands:
                make = lambda *shape: torch.randn(shape, device=self.device) * 0.1
                self.operands[b, m, k, n] = [(make(b, m, k), make(b, k, n)) for _ in range(4)]
        with torch.inference_mode():
            return seconds(self.device, self.once)

    def once(self):
        for i, product in enumerate(self.products):
            torch.bmm(*self.operands[product][i % 4])


def seconds(device, work):
    """Time of `work`, with what it left to the device."""
    if device == "cuda":
        torch.cuda.synchronize()
    started = time.perf_counter()
    work()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started

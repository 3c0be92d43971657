"""What the server measures: decoding, training, layers alone, and matrix products. Everything runs eagerly, in float32."""

import torch
import torch.nn.functional as F
from pytorch_layers import feed_forward
from pytorch_products import Products, Recorder, seconds
from torch import nn


class Attention(nn.Module):
    """Multi-head, causal; one product for queries, keys and values."""

    def __init__(self, model):
        super().__init__()
        self.heads = model["heads"]
        self.qkv = nn.Linear(model["dModel"], 3 * model["dModel"])
        self.output = nn.Linear(model["dModel"], model["dModel"])

    def forward(self, x, cache=None, position=0):
        batch, length, width = x.shape
        q, k, v = self.qkv(x).view(batch, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        if cache is not None:
            end = position + length
            cache[0][:, :, position:end], cache[1][:, :, position:end] = k, v
            k, v = cache[0][:, :, :end], cache[1][:, :, :end]
        y = F.scaled_dot_product_attention(q, k, v, is_causal=length > 1)
        return self.output(y.transpose(1, 2).reshape(batch, length, width))


class Block(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.attention_norm, self.feed_forward_norm = norm(model), norm(model)
        self.attention, self.feed_forward = Attention(model), feed_forward(model)

    def forward(self, x, cache=None, position=0):
        x = x + self.attention(self.attention_norm(x), cache, position)
        return x + self.feed_forward(self.feed_forward_norm(x))


def norm(model):
    return (nn.RMSNorm if model.get("norm") == "rms" else nn.LayerNorm)(model["dModel"])


class LanguageModel(nn.Module):
    """finegrain's `scalingLM`: pre-norm blocks, and a loss layer of its own weights."""

    def __init__(self, model):
        super().__init__()
        self.embedding = nn.Embedding(model["vocabulary"], model["dModel"])
        positions = model.get("positions", "learned")
        table = torch.randn(model["maxLength"], model["dModel"])
        self.positions = nn.Parameter(table, requires_grad=positions == "learned") if positions != "none" else None
        self.blocks = nn.ModuleList(Block(model) for _ in range(model["layers"]))
        self.norm = norm(model)
        self.loss = nn.Linear(model["dModel"], model["vocabulary"])

    def forward(self, tokens, caches=None, position=0):
        x = self.embedding(tokens)
        if self.positions is not None:
            x = x + self.positions[position : position + tokens.shape[1]]
        for i, block in enumerate(self.blocks):
            x = block(x, caches and caches[i], position)
        # In decode only the last token's logits are asked for.
        return self.loss(self.norm(x if caches is None else x[:, -1:]))


def count(module):
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)


class Decode:
    """`units` tokens of one stream behind a prompt, which is in the caches before the first round."""

    def __init__(self, model, measure, device):
        self.device, self.prompt, self.units = device, measure["prompt"], measure["units"]
        with torch.device(device):
            self.model = LanguageModel(model).eval()
        shape = (2, 1, model["heads"], self.prompt + self.units, model["dModel"] // model["heads"])
        self.caches = [torch.zeros(shape, device=device) for _ in range(model["layers"])]
        self.tokens = torch.tensor([[i * 7919 % model["vocabulary"] for i in range(self.prompt)]], device=device)
        self.parameters = count(self.model)
        self.products = Products([], device)
        with torch.inference_mode():
            self.model(self.tokens, self.caches)

    def round(self):
        with torch.inference_mode():
            return seconds(self.device, self.steps) / self.units

    def steps(self):
        for step in range(self.units):
            at = step % self.prompt
            # As ours, a step ends when its logits can be read.
            self.model(self.tokens[:, at : at + 1], self.caches, self.prompt + step)[0, 0].cpu()


class Train:
    """Steps of AdamW, fused, on one batch of random tokens."""

    def __init__(self, model, measure, device):
        self.device, self.units = device, measure["units"]
        with torch.device(device):
            self.model = LanguageModel(model).train()
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-4, fused=True)
        shape = (measure["batch"], measure["length"] + 1)
        self.tokens = torch.randint(model["vocabulary"], shape, device=device)
        self.parameters = count(self.model)
        with Recorder() as recorder:
            self.step()
        self.products = Products(recorder.products, device)

    def step(self):
        self.optimizer.zero_grad(set_to_none=True)
        logits = self.model(self.tokens[:, :-1])
        loss = F.cross_entropy(logits.flatten(0, 1), self.tokens[:, 1:].flatten())
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def round(self):
        return seconds(self.device, lambda: [self.step() for _ in range(self.units)]) / self.units


class Layer:
    """One feed-forward layer, forwards and backwards: the gradients of its weights and of its input."""

    def __init__(self, model, measure, device):
        self.device, self.units = device, measure["units"]
        with torch.device(device):
            self.layer = feed_forward(model)
        shape = (measure["batch"], measure["length"], model["dModel"])
        self.x = torch.randn(shape, device=device, requires_grad=True)
        self.cotangent = torch.randn(shape, device=device)
        self.parameters = count(self.layer)
        with Recorder() as recorder:
            self.pass_once()
        self.products = Products(recorder.products, device)

    def pass_once(self):
        self.layer.zero_grad(set_to_none=True)
        self.x.grad = None
        (self.layer(self.x) * self.cotangent).sum().backward()

    def round(self):
        return seconds(self.device, lambda: [self.pass_once() for _ in range(self.units)]) / self.units


class Op:
    """A matrix product [rows, depth] x [depth, columns], as often as fills a few hundredths of a second."""

    def __init__(self, model, measure, device):
        rows, depth, columns = model["rows"], model["depth"], model["columns"]
        self.device = device
        self.left = torch.randn(rows, depth, device=device)
        self.right = torch.randn(depth, columns, device=device)
        self.parameters = 0
        self.products = Products([], device)
        self.runs = 1
        self.round()
        self.runs = min(256, max(1, round(0.03 / self.round())))

    def run(self):
        for _ in range(self.runs):
            torch.matmul(self.left, self.right)

    def round(self):
        with torch.inference_mode():
            return seconds(self.device, self.run) / self.runs


TASKS = {"decode": Decode, "train": Train, "layer": Layer, "op": Op}

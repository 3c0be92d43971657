"""PyTorch as a peer of `finegrain bench`: a process that reads a JSON object a line, and answers each with one.

    {"do": "hello", "devices": ["cuda", "cpu"], "threads": 2}
                                                             ->  {"torch": "2.9.1", "device": "cpu", "description": "..."}
    {"do": "prepare", "phase": "decode" | "train" | "layer" | "op", "model": {...}, "measure": {...}}
                                                             ->  {"task": 1, "parameters": 1000, "productFlops": 0}
    {"do": "round", "task": 1}                               ->  {"seconds": 0.1}   a unit: a token, a step, a pass
    {"do": "products", "task": 1}                            ->  {"seconds": 0.1}   its matrix products, alone
    {"do": "drop", "task": 1}                                ->  {}

An answer {"error": "..."} is one sentence. The end of the input ends the process. Models are those of finegrain's own
`scalingLM` with nothing sparse turned on, float32, with random weights, run eagerly; see pytorch_models.py.
"""

import json
import os
import signal
import sys


def load(request):
    """Import torch, which takes seconds and may not be there, and set it up."""
    try:
        import torch
    except ImportError as error:
        return None, {"missing": str(error)}
    there = [device for device in request["devices"] if device == "cpu" or torch.cuda.is_available()]
    if not there:
        return None, {"missing": "torch sees no CUDA device"}
    device = there[0]
    torch.set_num_threads(request["threads"])
    torch.manual_seed(0)
    import pytorch_models

    description = torch.cuda.get_device_name() if device == "cuda" else torch.backends.cpu.get_cpu_capability()
    about = {"device": device, "description": description, "threads": torch.get_num_threads()}
    return Server(pytorch_models, device), {"torch": torch.__version__, **about}


class Server:
    def __init__(self, models, device):
        self.models = models
        self.device = device
        self.tasks = {}
        self.made = 0

    def prepare(self, request):
        task = self.models.TASKS[request["phase"]](request["model"], request["measure"], self.device)
        task.round()
        self.made += 1
        self.tasks[self.made] = task
        return {"task": self.made, "parameters": task.parameters, "productFlops": task.products.flops}

    def round(self, request):
        return {"seconds": self.tasks[request["task"]].round()}

    def products(self, request):
        return {"seconds": self.tasks[request["task"]].products.run()}

    def drop(self, request):
        del self.tasks[request["task"]]
        return {}


def main():
    # What a library prints must not come between the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    # Ctrl-C is the bench's to answer: it ends the input when the round is over.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    server = None
    for line in sys.stdin:
        try:
            request = json.loads(line)
            if request["do"] == "hello":
                server, answer = load(request)
            elif request["do"] in ("prepare", "round", "products", "drop") and server:
                answer = getattr(server, request["do"])(request)
            else:
                answer = {"error": f"there is no request {request['do']!r} before hello"}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()

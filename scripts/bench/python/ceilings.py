"""What the machine can do at most: fp32 products of matrices, copies of memory."""


def open_task(case):
    import torch

    torch.set_num_threads(case["threads"])
    return {"gemm": Gemm, "copy": Copy}[case["rival"]](torch, case)


class Gemm:
    def __init__(self, torch, case):
        n = case["n"]
        kind = torch.bfloat16 if case.get("precision") == "bf16" else torch.float32
        device = case.get("device", "cpu")
        self.a, self.b = (torch.randn(n, n, device=device).to(kind) for _ in range(2))
        self.out = torch.empty(n, n, dtype=kind, device=device)
        self.torch, self.device = torch, device
        self.about = {"version": torch.__version__, "operations": 2 * n**3}
        self.run()

    def run(self):
        self.torch.mm(self.a, self.b, out=self.out)
        if self.device != "cpu":
            self.torch.cuda.synchronize()


class Copy:
    def __init__(self, torch, case):
        count = case["bytes"] // 4
        device = case.get("device", "cpu")
        self.a = torch.ones(count, device=device)
        self.b = torch.empty_like(self.a)
        self.torch, self.device = torch, device
        # Read and written: a copy moves each byte twice.
        self.about = {"version": torch.__version__, "bytes": 2 * 4 * count}
        self.run()

    def run(self):
        self.b.copy_(self.a)
        if self.device != "cpu":
            self.torch.cuda.synchronize()

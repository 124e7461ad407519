"""Rivals for the compaction loss: z [M,d] in, the loss and its gradient out."""
import numpy
import torch

import checks
import objective


def open_task(case):
    task = Loss(case)
    loss, gradient = task.run()
    wanted = case["reference"]
    task.about["difference"] = max(
        checks.difference(numpy.array([[loss.item()]]), wanted["loss"]),
        checks.difference(gradient.cpu().numpy(), wanted["gradient"]),
    )
    return task


class Loss:
    def __init__(self, case):
        torch.set_num_threads(case["threads"])
        self.torch = torch
        self.device = case["device"]
        rows, columns = case["rows"], case["columns"]
        values = numpy.fromfile(case["z"], numpy.float32).reshape(rows, columns)
        self.z = torch.from_numpy(values).to(self.device).requires_grad_(True)
        self.loss = objective.Compaction(rows, case["tiles"], case["temperature"], self.device)
        if case["rival"] == "compile":
            self.loss = torch.compile(self.loss, mode="max-autotune" if self.device != "cpu" else None, dynamic=False)
        self.about = {"version": torch.__version__, "threads": torch.get_num_threads()}
        for _ in range(2):
            self.run()

    def run(self):
        self.z.grad = None
        loss = self.loss(self.z)
        loss.backward()
        if self.device != "cpu":
            torch.cuda.synchronize()
        return loss.detach(), self.z.grad

"""Rivals for embedding: uint8 tiles [N,H,W,3] in, float32 [N,d] out, both in the host's memory; or, where the case is `resident`, both in
the device's, several calls in a row."""
import numpy

import checks


def open_task(case):
    tiles = numpy.fromfile(case["tiles"], numpy.uint8).reshape(case["batch"], case["tileSize"], case["tileSize"], 3)
    task = (OnnxRuntime if case["rival"].startswith("onnxruntime") else Torch)(case, tiles)
    task.about["difference"] = checks.difference(task.run(), case["reference"])
    if case.get("resident"):
        task.stay(case["resident"])
    return task


class Torch:
    def __init__(self, case, tiles):
        import torch

        import networks
        import safetensors

        torch.set_num_threads(case["threads"])
        if torch.get_num_interop_threads() != 1:
            torch.set_num_interop_threads(1)
        self.torch = torch
        self.device = case.get("device", "cpu")
        kind = case["rival"]
        low = torch.bfloat16 if case.get("precision") == "bf16" else torch.float32
        weights, _ = safetensors.load(case["weights"])
        channels_last = kind != "eager"
        encoder = networks.Encoder(weights, case["tileSize"]).eval().to(self.device, low)
        if channels_last:
            encoder = encoder.to(memory_format=torch.channels_last)
        model = networks.FromBytes(encoder, channels_last, low).eval()
        self.host = torch.from_numpy(tiles)
        example = self.host.to(self.device)
        with torch.inference_mode(kind != "compile"):
            if kind == "frozen":
                model = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(model, example)))
            elif kind == "compile":
                import torch._inductor.config as inductor

                inductor.freezing = True
                mode = "max-autotune" if self.device != "cpu" else None
                model = torch.compile(model, mode=mode, dynamic=False)
        self.model = model
        # Compiled code with frozen weights wants no_grad rather than inference mode.
        self.scope = torch.no_grad if kind == "compile" else torch.inference_mode
        for _ in range(2):  # the profiling executor of TorchScript and the compiler do their work here
            self.run()
        self.about = {"version": torch.__version__, "threads": torch.get_num_threads()}
        if kind == "compile":
            from torch._dynamo.utils import counters

            self.about["graphs"] = counters["stats"]["unique_graphs"]

    def run(self):
        with self.scope():
            return self.model(self.host.to(self.device, non_blocking=True)).cpu().numpy()

    def stay(self, calls):
        """From now on a run is `calls` calls over tiles in the device's memory."""
        self.calls, resident = calls, self.host.to(self.device)

        def run():
            with self.scope():
                for _ in range(calls):
                    self.model(resident)
            if self.device != "cpu":
                self.torch.cuda.synchronize()

        self.run = run
        self.run()


class OnnxRuntime:
    def __init__(self, case, tiles):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = case["threads"]
        options.inter_op_num_threads = 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        wanted = ["CPUExecutionProvider"] if case.get("device", "cpu") == "cpu" else ["CUDAExecutionProvider"]
        self.session = onnxruntime.InferenceSession(case["onnx"], options, providers=wanted)
        if self.session.get_providers()[0] != wanted[0]:
            raise RuntimeError(f"{wanted[0]} cannot be had, got {self.session.get_providers()}")
        if case.get("resident"):
            raise RuntimeError("tiles in the device's memory are not bound here")
        self.tiles = tiles
        self.about = {"version": onnxruntime.__version__, "threads": case["threads"]}
        self.run()

    def run(self):
        return self.session.run(["embedding"], {"tiles": self.tiles})[0]

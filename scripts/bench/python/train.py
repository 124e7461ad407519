"""The training step in PyTorch eager: native/src/train/trainer.cpp, transcribed."""
import numpy
import torch
import torch.nn.functional as F

import checks
import networks
import objective
import rendering
import safetensors


def open_task(case):
    task = Train(case)
    found = numpy.array([task.run() for _ in range(case["checked"])], numpy.float32)
    task.about["difference"] = checks.difference(found, case["reference"])
    if case["rendered"]:
        # What is drawn is each side's own business, and cannot be compared. The work is the same.
        task.change = rendering.draw(2 * task.batch, 1.5, 0.5, task.device)
    return task


class Train:
    def __init__(self, case):
        torch.set_num_threads(case["threads"])
        self.torch, self.device = torch, case["device"]
        weights, _ = safetensors.load(case["weights"])
        side, self.batch = case["tileSize"], case["batch"]
        last = torch.channels_last if case["rival"] == "channels_last" else torch.contiguous_format
        self.encoder = networks.Encoder(weights, side).to(self.device, memory_format=last)
        self.decoder = networks.Decoder(weights, side // 32).to(self.device, memory_format=last)
        self.discriminator = networks.Discriminator(weights).to(self.device)
        self.parameters = [p for net in (self.encoder, self.decoder, self.discriminator) for p in net.parameters()]
        decayed = [p for p in self.parameters if p.dim() > 1]
        free = [p for p in self.parameters if p.dim() <= 1]
        options = case["options"]
        self.options = options
        self.optimiser = torch.optim.AdamW(
            [{"params": decayed, "weight_decay": options["weightDecay"]}, {"params": free, "weight_decay": 0.0}],
            lr=options["learningRate"],
            fused=True,
        )
        tiles = numpy.fromfile(case["tiles"], numpy.uint8).reshape(-1, side, side, 3)[: self.batch]
        self.tiles = torch.from_numpy(tiles)
        self.loss = objective.Compaction(2 * self.batch, self.batch, options["temperature"], self.device)
        # None: the tiles are the views. At strength 0 they are rendered to what they were.
        self.change = rendering.draw(2 * self.batch, 0.0, 0.0, self.device) if case["rendered"] else None
        self.amp = case.get("precision") == "bf16"
        self.last, self.step = last, 0
        self.about = {"version": torch.__version__, "threads": torch.get_num_threads()}

    def run(self):
        """-> [compaction, scatter, reconstruction, gradient norm]"""
        options, weights = self.options, self.options["weights"]
        grey = self.tiles.to(self.device, non_blocking=True).permute(0, 3, 1, 2).float()
        source = grey / 255
        with torch.no_grad():
            views = rendering.render(grey.contiguous(), 2, self.change) if self.change else torch.cat([source, source])
        views = views.contiguous(memory_format=self.last)
        rate = options["learningRate"] * min(1, (self.step + 1) / options["warmupSteps"])
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        ramp = networks.adversary_ramp(self.step, options["totalSteps"])

        with torch.autocast(self.device.split(":")[0], torch.bfloat16, enabled=self.amp):
            z = self.encoder(views).float()
        compaction = self.loss(z)
        scatter = objective.scatter(z, self.batch)
        logits = self.discriminator(networks.ReverseGradient.apply(z, weights["adversarial"] * ramp))
        labels = torch.zeros(len(z), dtype=torch.long, device=self.device)
        adversarial = F.cross_entropy(logits, labels)
        with torch.autocast(self.device.split(":")[0], torch.bfloat16, enabled=self.amp):
            drawn = self.decoder(z[: self.batch]).float()
        reconstruction = objective.reconstruction(drawn, source)
        total = (
            adversarial
            + weights["compaction"] * compaction
            + weights["scatter"] * scatter
            + weights["reconstruction"] * reconstruction
        )
        self.optimiser.zero_grad(set_to_none=True)
        total.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, options["clipNorm"])
        self.optimiser.step()
        self.step += 1
        return [value.item() for value in (compaction, scatter, reconstruction, norm)]

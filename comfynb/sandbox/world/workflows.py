"""The workflows of the sandbox's world: named as untidily as real ones, with graphs as people build them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from comfynb.sandbox.world.graph import Graph, Graphs, Node

__all__ = ["BROKEN", "WORKFLOWS", "VersionSpec", "WorkflowSpec"]


@dataclass(frozen=True, slots=True)
class VersionSpec:
    """A version: its comment and what builds its graphs, given where the sandbox's files are."""

    comment: str
    build: Callable[[str], Graphs]
    number: int | None = None
    """Its number; without one, its place among the versions."""
    machine: str | None = None
    """The key of the machine on which it was made: the workflow's if it is None, none if it is empty."""


@dataclass(frozen=True, slots=True)
class WorkflowSpec:
    """A workflow: its name, the key of its machine, and its versions from old to new."""

    name: str
    machine: str | None
    versions: tuple[VersionSpec, ...]
    description: str | None = None
    pinned: bool = False
    known_as: str | None = None
    cover_image: str | None = None

    @property
    def key(self) -> str:
        """What deployments name it by."""
        return self.known_as or self.name


def _sample(
    graph: Graph,
    model: Node,
    positive: Node,
    negative: Node,
    latent: Node,
    *,
    seed: object,
    steps: object = 20,
    cfg: object = 7.0,
    denoise: object = 1.0,
    vae: int = 2,
) -> Node:
    """Add the sampler and the decoder with which most graphs end."""
    sampler = graph.add(
        "KSampler",
        seed=seed,
        steps=steps,
        cfg=cfg,
        sampler_name="euler",
        scheduler="normal",
        denoise=denoise,
        model=model[0],
        positive=positive[0],
        negative=negative[0],
        latent_image=latent[0],
    )
    return graph.add("VAEDecode", samples=sampler[0], vae=model[vae])


def text2img(_files: str, *, cfg: float = 7.0) -> Graph:
    """Prompt, negative prompt, seed and size; Stable Diffusion 1.5."""
    graph = Graph()
    graph.note("Text to image with SD 1.5.\nKeep both sides multiples of 64.", "Read me")
    model = graph.add("CheckpointLoaderSimple", ckpt_name="v1-5-pruned-emaonly.safetensors")
    prompt = graph.external(
        "Text", "prompt", "Prompt", "What the picture shows", default_value="a lighthouse in the evening sun"
    )
    avoid = graph.external(
        "Text", "negative_prompt", "Negative prompt", "What to leave out", default_value="blurry, text, watermark"
    )
    seed = graph.external(
        "Seed", "seed", "Seed", "-1 is a random one", min_value=1, max_value=4294967295, default_value=-1
    )
    width = graph.external("NumberInt", "width", "Width", "In pixels", default_value=512)
    height = graph.external("NumberInt", "height", "Height", "In pixels", default_value=512)
    positive = graph.add("CLIPTextEncode", clip=model[1], text=prompt[0])
    negative = graph.add("CLIPTextEncode", clip=model[1], text=avoid[0])
    latent = graph.add("EmptyLatentImage", width=width[0], height=height[0], batch_size=1)
    picture = _sample(graph, model, positive, negative, latent, seed=seed[0], cfg=cfg)
    graph.add("SaveImage", images=picture[0], filename_prefix="text2img")
    return graph


def text_to_image(_files: str) -> Graph:
    """Another team's text to image: input names with capitals and spaces, and a seed that nobody controls."""
    graph = Graph()
    model = graph.add("CheckpointLoaderSimple", ckpt_name="sd_xl_base_1.0.safetensors")
    prompt = graph.external("Text", "Prompt", default_value="a bowl of ripe peaches, studio light")
    avoid = graph.external("Text", "Negative Prompt", default_value="")
    steps = graph.external("NumberSliderInt", "Steps", default_value=25, min_value=1, max_value=60)
    guidance = graph.external("NumberSlider", "CFG", default_value=6.5, min_value=1, max_value=12)
    positive = graph.add("CLIPTextEncode", clip=model[1], text=prompt[0])
    negative = graph.add("CLIPTextEncode", clip=model[1], text=avoid[0])
    latent = graph.add("EmptyLatentImage", width=1024, height=1024, batch_size=1)
    picture = _sample(graph, model, positive, negative, latent, seed=156680208700286, steps=steps[0], cfg=guidance[0])
    graph.add("SaveImage", images=picture[0], filename_prefix="sdxl")
    return graph


def inpaint(files: str) -> Graph:
    """Build an inpainting: a picture with a default, a mask, sliders and a seed that is a plain number."""
    graph = Graph()
    graph.note("The mask is the alpha channel of a PNG: what is transparent is painted.")
    model = graph.add("CheckpointLoaderSimple", ckpt_name="512-inpainting-ema.safetensors")
    prompt = graph.external(
        "Text", "positive_prompt", "Prompt", "What to paint", default_value="a green velvet armchair"
    )
    avoid = graph.external("Text", "negative_prompt", "Negative prompt", default_value="blurry, deformed")
    picture = graph.external(
        "Image", "input_image", "Image", "Picture to change", default_value_url=f"{files}/samples/room.png"
    )
    alpha = graph.external("ImageAlpha", "mask_image", "Mask", "PNG whose alpha is the mask", default_value=picture[0])
    mask = graph.add("SplitImageWithAlpha", image=alpha[0])
    grow = graph.external(
        "NumberSliderInt", "grow_mask", "Grow mask", "In pixels", default_value=6, min_value=0, max_value=64
    )
    denoise = graph.external(
        "NumberSlider", "denoise", "Denoise", "1 ignores the picture", default_value=0.85, min_value=0, max_value=1
    )
    seed = graph.external("NumberInt", "seed", "Seed", default_value=42)
    positive = graph.add("CLIPTextEncode", clip=model[1], text=prompt[0])
    negative = graph.add("CLIPTextEncode", clip=model[1], text=avoid[0])
    latent = graph.add("VAEEncodeForInpaint", pixels=picture[0], vae=model[2], mask=mask[1], grow_mask_by=grow[0])
    painted = _sample(graph, model, positive, negative, latent, seed=seed[0], denoise=denoise[0])
    graph.add("SaveImage", images=painted[0], filename_prefix="inpaint")
    return graph


def img2vid(files: str) -> Graph:
    """Turn a picture into a short film, with Wan 2.1."""
    graph = Graph()
    graph.note("Wan 2.1, 480p. About 40 seconds on an H100.")
    diffusion = graph.add("UNETLoader", unet_name="wan2.1_i2v_480p_14B_fp8.safetensors", weight_dtype="default")
    clip = graph.add("CLIPLoader", clip_name="umt5_xxl_fp8.safetensors", type="wan")
    vae = graph.add("VAELoader", vae_name="wan_2.1_vae.safetensors")
    picture = graph.external(
        "Image", "image_url", "First frame", "A picture to start from", default_value_url=f"{files}/samples/sea.png"
    )
    prompt = graph.external("Text", "positive_prompt", "Prompt", default_value="waves roll in, slow camera")
    avoid = graph.external("Text", "negative_prompt", "Negative prompt", default_value="static, overexposed")
    width = graph.external("NumberInt", "width", default_value=832)
    height = graph.external("NumberInt", "height", default_value=480)
    length = graph.external("NumberSliderInt", "frames", "Frames", default_value=33, min_value=5, max_value=81)
    seed = graph.external("Seed", "seed", "Seed", min_value=1, max_value=4294967295, default_value=-1)
    positive = graph.add("CLIPTextEncode", clip=clip[0], text=prompt[0])
    negative = graph.add("CLIPTextEncode", clip=clip[0], text=avoid[0])
    video = graph.add(
        "WanImageToVideo",
        positive=positive[0],
        negative=negative[0],
        vae=vae[0],
        start_image=picture[0],
        width=width[0],
        height=height[0],
        length=length[0],
        batch_size=1,
    )
    shifted = graph.add("ModelSamplingSD3", model=diffusion[0], shift=8.0)
    sampler = graph.add(
        "KSampler",
        seed=seed[0],
        steps=20,
        cfg=6.0,
        sampler_name="uni_pc",
        scheduler="simple",
        denoise=1.0,
        model=shifted[0],
        positive=video[0],
        negative=video[1],
        latent_image=video[2],
    )
    frames = graph.add("VAEDecode", samples=sampler[0], vae=vae[0])
    graph.add(
        "VHS_VideoCombine", images=frames[0], frame_rate=16, filename_prefix="wan", format="image/webp", loop_count=0
    )
    return graph


def upscale(files: str) -> Graph:
    """Make a picture larger, with a choice of models."""
    graph = Graph()
    picture = graph.external(
        "Image", "image", "Image", "Picture to enlarge", default_value_url=f"{files}/samples/room.png"
    )
    choice = graph.external(
        "Enum",
        "model",
        "Model",
        "Upscale model",
        options=json.dumps(["RealESRGAN_x4plus.pth", "RealESRGAN_x2plus.pth", "4x-UltraSharp.pth"]),
        default_value="RealESRGAN_x4plus.pth",
    )
    scale = graph.external("NumberSlider", "scale_by", "Final scale", default_value=0.5, min_value=0.1, max_value=2)
    model = graph.add("UpscaleModelLoader", model_name=choice[0])
    larger = graph.add("ImageUpscaleWithModel", upscale_model=model[0], image=picture[0])
    final = graph.add("ImageScaleBy", image=larger[0], upscale_method="lanczos", scale_by=scale[0])
    graph.add("ComfyDeployStdOutputImage", images=final[0], output_id="upscaled", filename_prefix="esrgan")
    return graph


def makeimage(_files: str, *, scheduler: str = "karras") -> Graph:
    """Every kind of input that a busy team ends up with."""
    graph = Graph()
    graph.note("Ask Kim before changing the LoRA strength!")
    checkpoint = graph.external("Checkpoint", "checkpoint", "Checkpoint", default_value="sd_xl_base_1.0.safetensors")
    base = graph.add("CheckpointLoaderSimple", ckpt_name=checkpoint[0])
    lora = graph.external(
        "Lora",
        "lora",
        "LoRA",
        default_lora_name="film_grain.safetensors",
        lora_save_name="",
        lora_url="",
        bearer_token="",
    )
    model = graph.add(
        "LoraLoader", lora_name=lora[0], model=base[0], clip=base[1], strength_model=0.8, strength_clip=0.8
    )
    prompt = graph.external("TextAny", "PROMPT", default_value="portrait of a beekeeper, golden hour")
    avoid = graph.external("Text", "Negative Prompt", default_value="")
    seed = graph.external(
        "Seed", "seed", "Seed", "-1 is a random one", min_value=1, max_value=4294967295, default_value=-1
    )
    guidance = graph.external("Number", "cfg", "CFG", default_value=6.5)
    steps = graph.external("NumberInt", "steps", "Steps", default_value=25)
    graph.external("Boolean", "hires", "Hi-res fix", default_value=False)
    graph.external("ImageBatch", "reference_images", "References", "Up to four pictures", images="[]")
    positive = graph.add("CLIPTextEncode", clip=model[1], text=prompt[0])
    negative = graph.add("CLIPTextEncode", clip=model[1], text=avoid[0])
    latent = graph.add("EmptyLatentImage", width=1024, height=1024, batch_size=1)
    sampler = graph.add(
        "KSampler",
        seed=seed[0],
        steps=steps[0],
        cfg=guidance[0],
        sampler_name="dpmpp_2m",
        scheduler=scheduler,
        denoise=1.0,
        model=model[0],
        positive=positive[0],
        negative=negative[0],
        latent_image=latent[0],
    )
    picture = graph.add("VAEDecode", samples=sampler[0], vae=base[2])
    graph.add("SaveImage", images=picture[0], filename_prefix="MAKEIMAGE")
    return graph


def wallpaper(_files: str) -> Graph:
    """No inputs at all: everything is written in the graph."""
    graph = Graph()
    model = graph.add("CheckpointLoaderSimple", ckpt_name="v1-5-pruned-emaonly.safetensors")
    positive = graph.add("CLIPTextEncode", clip=model[1], text="soft hills in fog, minimal, wallpaper")
    negative = graph.add("CLIPTextEncode", clip=model[1], text="people, text")
    latent = graph.add("EmptyLatentImage", width=768, height=432, batch_size=1)
    picture = _sample(graph, model, positive, negative, latent, seed=42)
    graph.add("SaveImage", images=picture[0], filename_prefix="wallpaper")
    return graph


def poster(files: str) -> Graph:
    """Fails: its last node asks for more memory than there is."""
    graph = Graph()
    picture = graph.external("Image", "image", "Motif", default_value_url=f"{files}/samples/sea.png")
    size = graph.external("NumberInt", "size", "Side", "In pixels", default_value=200000)
    large = graph.add(
        "ImageScale", image=picture[0], upscale_method="bicubic", width=size[0], height=size[0], crop="disabled"
    )
    graph.add("SaveImage", images=large[0], filename_prefix="poster")
    return graph


def poster_unknown_node(files: str) -> Graph:
    """Never starts: no machine knows one of its nodes."""
    graph = Graph()
    picture = graph.external("Image", "image", "Motif", default_value_url=f"{files}/samples/sea.png")
    large = graph.add("UltimateSDUpscale", image=picture[0], upscale_by=4)
    graph.add("SaveImage", images=large[0], filename_prefix="poster")
    return graph


def broken_enum(_files: str) -> Graph:
    """Break the lists of deployments: the options of its enum are no JSON."""
    graph = Graph()
    style = graph.external("Enum", "style", "Style", options="oil, ink, pastel", default_value="oil")
    model = graph.add("CheckpointLoaderSimple", ckpt_name="sd_xl_base_1.0.safetensors")
    positive = graph.add("CLIPTextEncode", clip=model[1], text=style[0])
    negative = graph.add("CLIPTextEncode", clip=model[1], text="")
    latent = graph.add("EmptyLatentImage", width=512, height=512, batch_size=1)
    picture = _sample(graph, model, positive, negative, latent, seed=7)
    graph.add("SaveImage", images=picture[0], filename_prefix="style")
    return graph


WORKFLOWS: tuple[WorkflowSpec, ...] = (
    WorkflowSpec(
        "text2img",
        "studio-classic-a",
        (
            VersionSpec("first version", text2img),
            VersionSpec("softer guidance", lambda files: text2img(files, cfg=5.5)),
            VersionSpec("as discussed on Friday", lambda files: text2img(files, cfg=6.0)),
        ),
        pinned=True,
    ),
    WorkflowSpec("Text to Image", "studio-classic-b (RTX 4090)", (VersionSpec("from the design team", text_to_image),)),
    WorkflowSpec(
        "inpaint", "studio-classic-a", (VersionSpec("first version", inpaint),), "Paints into the mask of a picture"
    ),
    WorkflowSpec("img2vid - wan 2.1", "serverless-h100", (VersionSpec("480p", img2vid),)),
    WorkflowSpec("upscale_esrgan", "studio-classic-b (RTX 4090)", (VersionSpec("first version", upscale),)),
    WorkflowSpec(
        "MAKEIMAGE",
        "Serverless A100",
        (
            VersionSpec("first version", makeimage),
            VersionSpec("exponential schedule", lambda files: makeimage(files, scheduler="exponential")),
        ),
    ),
    WorkflowSpec("wallpaper of the day", "studio-classic-a", (VersionSpec("first version", wallpaper),)),
    WorkflowSpec(
        "poster print (BROKEN)",
        "studio-classic-b (RTX 4090)",
        (VersionSpec("with Ultimate SD Upscale", poster_unknown_node), VersionSpec("without custom nodes", poster)),
    ),
)

BROKEN = WorkflowSpec("style transfer (wip)", "studio-classic-b (RTX 4090)", (VersionSpec("try", broken_enum),))
"""The workflow that the knob `broken_workflow` adds."""

"""The ComfyUI node classes that the sandbox's machines know, and what they need and make."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["EXTERNAL", "KNOWN", "NodeClass", "is_known", "node_class"]

EXTERNAL: Final = "ComfyUIDeployExternal"
"""The beginning of the class names of a workflow's inputs."""


@dataclass(frozen=True, slots=True)
class NodeClass:
    """What a machine knows about a class of nodes.

    Parameters
    ----------
    outputs : tuple of str
        Types of what it gives to other nodes.
    required : tuple of str
        Inputs without which ComfyUI refuses the node.
    seconds : float
        What it takes, as reported; a sampler's grows with the number of its steps.
    makes : str
        What a run gets from it: a key of an output's data (``images``, ``gifs``, ``text``, ``files``), ``preview``
        for a node that ends a graph but hands nothing over, or nothing.
    extension : str
        Of the files that it makes.
    """

    outputs: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    seconds: float = 0.15
    makes: str = ""
    extension: str = "png"

    @property
    def ends(self) -> bool:
        """Whether it is an output node: ComfyUI executes what such nodes need, and nothing else."""
        return bool(self.makes)


def _class(
    outputs: str = "", required: str = "", seconds: float = 0.15, makes: str = "", ext: str = "png"
) -> NodeClass:
    return NodeClass(tuple(outputs.split()), tuple(required.split()), seconds, makes, ext)


KNOWN: Final[dict[str, NodeClass]] = {
    # Loaders
    "CheckpointLoaderSimple": _class("MODEL CLIP VAE", "ckpt_name", 1.1),
    "UNETLoader": _class("MODEL", "unet_name", 1.4),
    "CLIPLoader": _class("CLIP", "clip_name", 0.7),
    "DualCLIPLoader": _class("CLIP", "clip_name1 clip_name2", 0.9),
    "CLIPVisionLoader": _class("CLIP_VISION", "clip_name", 0.5),
    "VAELoader": _class("VAE", "vae_name", 0.4),
    "LoraLoader": _class("MODEL CLIP", "model clip lora_name", 0.5),
    "UpscaleModelLoader": _class("UPSCALE_MODEL", "model_name", 0.4),
    "LoadImage": _class("IMAGE MASK", "image", 0.1),
    # Conditioning
    "CLIPTextEncode": _class("CONDITIONING", "clip text", 0.3),
    "CLIPVisionEncode": _class("CLIP_VISION_OUTPUT", "clip_vision image", 0.4),
    "FluxGuidance": _class("CONDITIONING", "conditioning", 0.1),
    "ConditioningCombine": _class("CONDITIONING", "conditioning_1 conditioning_2", 0.1),
    "WanImageToVideo": _class("CONDITIONING CONDITIONING LATENT", "positive negative vae", 0.6),
    # Latents and sampling
    "EmptyLatentImage": _class("LATENT", "width height batch_size", 0.1),
    "EmptySD3LatentImage": _class("LATENT", "width height batch_size", 0.1),
    "VAEEncode": _class("LATENT", "pixels vae", 0.4),
    "VAEEncodeForInpaint": _class("LATENT", "pixels vae mask", 0.5),
    "VAEDecode": _class("IMAGE", "samples vae", 0.4),
    "KSampler": _class("LATENT", "model seed steps cfg positive negative latent_image", 2.0),
    "RandomNoise": _class("NOISE", "noise_seed", 0.1),
    "ModelSamplingSD3": _class("MODEL", "model", 0.1),
    # Images
    "EmptyImage": _class("IMAGE", "width height batch_size", 0.1),
    "ImageInvert": _class("IMAGE", "image", 0.1),
    "ImageBlur": _class("IMAGE", "image", 0.9),
    "ImageScale": _class("IMAGE", "image upscale_method width height", 0.3),
    "ImageScaleBy": _class("IMAGE", "image upscale_method scale_by", 0.3),
    "ImageAddNoise": _class("IMAGE", "image seed", 0.2),
    "ImageUpscaleWithModel": _class("IMAGE", "upscale_model image", 2.4),
    "SplitImageWithAlpha": _class("IMAGE MASK", "image", 0.1),
    "GrowMask": _class("MASK", "mask expand", 0.1),
    # What ends a graph
    "SaveImage": _class("", "images", 0.3, "images"),
    "SaveAnimatedWEBP": _class("", "images", 0.5, "images", "webp"),
    "VHS_VideoCombine": _class("", "images", 0.8, "gifs", "webp"),
    "PreviewImage": _class("", "images", 0.2, "preview"),
    "PreviewAny": _class("", "source", 0.1, "text"),
    "ShowText|pysssss": _class("STRING", "text", 0.1, "text"),
    "ComfyDeployOutputImage": _class("", "images", 0.3, "images"),
    "ComfyDeployOutputText": _class("", "text", 0.1, "files", "txt"),
    "ComfyDeployStdOutputImage": _class("", "images", 0.3, "images"),
    "ComfyDeployStdOutputAny": _class("", "data", 0.1, "text"),
    # Inputs
    "ComfyUIDeployExternalText": _class("STRING", "input_id"),
    "ComfyUIDeployExternalTextAny": _class("*", "input_id"),
    "ComfyUIDeployExternalTextSingleLine": _class("STRING", "input_id"),
    "ComfyUIDeployExternalNumber": _class("FLOAT", "input_id"),
    "ComfyUIDeployExternalNumberInt": _class("INT", "input_id"),
    "ComfyUIDeployExternalNumberSlider": _class("FLOAT", "input_id"),
    "ComfyUIDeployExternalNumberSliderInt": _class("INT", "input_id"),
    "ComfyUIDeployExternalBoolean": _class("BOOLEAN", "input_id"),
    "ComfyUIDeployExternalEnum": _class("COMBO", "input_id"),
    "ComfyUIDeployExternalImage": _class("IMAGE", "input_id", 0.3),
    "ComfyUIDeployExternalImageAlpha": _class("IMAGE", "input_id", 0.3),
    "ComfyUIDeployExternalImageBatch": _class("IMAGE", "input_id", 0.4),
    "ComfyUIDeployExternalVideo": _class("IMAGE", "input_id", 0.5),
    "ComfyUIDeployExternalVid": _class("IMAGE", "input_id", 0.5),
    "ComfyUIDeployExternalAudio": _class("AUDIO", "input_id", 0.3),
    "ComfyUIDeployExternalEXR": _class("IMAGE", "input_id", 0.3),
    "ComfyUIDeployExternalFile": _class("STRING", "input_id", 0.3),
    "ComfyUIDeployExternalLora": _class("STRING", "input_id", 0.2),
    "ComfyUIDeployExternalCheckpoint": _class("STRING", "input_id", 0.2),
    "ComfyUIDeployExternalFaceModel": _class("STRING", "input_id", 0.2),
    "ComfyUIDeployExternalSeed": _class("INT", "input_id"),
    "ComfyUIDeployExternalColor": _class("STRING", "input_id"),
    "ComfyDeployWebscoketImageInput": _class("IMAGE", "input_id"),
}

_UNKNOWN: Final = NodeClass()


def is_known(class_type: str) -> bool:
    """Whether the machines have this class of nodes installed.

    Examples
    --------
    >>> is_known("KSampler"), is_known("MyOwnNode")
    (True, False)
    """
    return class_type in KNOWN


def node_class(class_type: str) -> NodeClass:
    """Return what is known of a class; nothing, if it is unknown."""
    return KNOWN.get(class_type, _UNKNOWN)

"""Decode of an 8B-shaped Llama with random weights on a GPU: what the host and a kernel cost.

Five legs that differ in one thing each. `graphs` is the baseline because its host has little to do:
its times, and its twin's, stay within a few parts in a thousand where those of `static` move by a
tenth. `graphs-rms` is `graphs` with our own RMS normalisation in
place of the model's; `graphs-slowed` is that with a kernel that is slow on purpose, so that a
prediction from kernel.py's ratio (roofmark amdahl) has something to be held to.

A leg holds 16 GB of weights, and the legs of a process set live side by side: all five and the
twin need 100 GB; a smaller GPU takes fewer (`-s static`), or together=False. Weights are drawn on
the device, so an engine is there in seconds.
"""

import roofmark as rm

# Launches per token, by parts of names as torch 2.11 with CUDA 13 has them on an H200; with others
# the report says which of them fits no kernel.
_SHARED = (
    "64*nvjet_sm90_tst_64x8_64x16_2x1_v_bz_TNT",
    "64*nvjet_sm90_tst_64x8_64x16_2x1_v_bz_splitK_TNT",
    "64*nvjet_sm90_tst_64x8_64x16_4x1_v_bz_splitK_TNT",
    "32*nvjet_sm90_tst_128x8_64x12_2x1_v_bz_splitK_TNT",
    "1*nvjet_sm90_tst_256x8_64x6_2x1_v_bz_TNT",
    "160*cublasLt::splitKreduce_kernel<32, 16",
    "32*cudnn_generated_fort_native_sdpa_sm90_flash",
    "128*at::native::elementwise_kernel<128, 4, "
    "at::native::gpu_kernel_impl_nocast<at::native::BinaryFunctor<c10::BFloat16",
    "128*CUDAFunctor_add<c10::BFloat16>",
    "64*index_copy_kernel_impl",
    "64*gpu_kernel_impl_nocast<at::native::neg_kernel_cuda",
    "64*CatArrayBatchedCopy<at",
    "64*FillFunctor<c10::BFloat16>",
    "32*gpu_kernel_impl_nocast<at::native::(anonymous namespace)::where_kernel_impl",
    "32*silu_kernel",
)
# The model's own RMS normalisation, and ours.
_MODELS = (
    "66*direct_copy_kernel_cuda(at::TensorIteratorBase&)::{lambda()#3}::operator()() const"
    "::{lambda()#7}",
    "67*bfloat16_copy_kernel_cuda",
    "65*pow_tensor_scalar_kernel_impl",
    "65*MeanOps<float",
    "65*CUDAFunctorOnSelf_add<float>",
    "65*rsqrt_kernel_cuda",
    "66*elementwise_kernel<128, 2, at::native::gpu_kernel_impl_nocast<at::native::BinaryFunctor"
    "<float",
    "97*vectorized_elementwise_kernel<8, at::native::BinaryFunctor<c10::BFloat16",
)
_OURS = (
    "65*rms_norm_kernel",
    "32*vectorized_elementwise_kernel<8, at::native::BinaryFunctor<c10::BFloat16",
)


def leg(name: str, entry: str, norm: tuple[str, ...] = _MODELS, **more: object) -> rm.Solution:
    formula = " + ".join(_SHARED + norm)
    return rm.Solution(
        name, f"engines.py::{entry}", sources=("rms_norm.py",), requires=("transformers", "triton"),
        devices=("cuda",), leg=rm.Engine(vocabulary=128256, ready_limit=300.0, formula=formula),
        **more,
    )  # fmt: skip


plain = rm.Treatment(graph_replays=0.0)
graphs = rm.Treatment(graph_replays=1.0, without=("rms_norm_kernel",))
own = rm.Treatment(graph_replays=1.0, kernels=("rms_norm_kernel",))
study = rm.Study(
    title="Decode of an 8B-shaped model",
    definition=rm.engine("decode-engine-8b"),
    workloads=[rm.load(prompt=512), rm.load(generate=128)],
    solutions=[
        leg("eager", "eager", treatment=plain),
        leg("static", "static", treatment=plain),
        leg("graphs", "graphs", treatment=graphs),
        leg("graphs-rms", "graphs_rms", _OURS, treatment=own),
        leg("graphs-slowed", "graphs_slowed", _OURS, treatment=own),
    ],
    baseline="graphs",
    contrasts=[
        rm.Contrast("graphs-on", of="graphs", against="static"),
        rm.Contrast("own-rms", of="graphs-rms", against="graphs"),
        rm.Contrast("slowed-rms", of="graphs-slowed", against="graphs-rms"),
    ],
    serving=rm.Serving(profile=16, compare=8),
    protocol=rm.Protocol(
        tier="token", cache="warm", margin=0.03, processes=(4, 8), blocks=2, calls=2,
        time_limit=1500.0, call_limit=120.0, memory_limit=64 * 2**30,
    ),
)  # fmt: skip

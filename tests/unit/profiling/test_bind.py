"""Launches under a profiler are bound to the kernels that were seen without it."""

import pytest

from roofmark.foreign import Profile
from roofmark.profiled import Refused, SeenKernel
from roofmark.profiling.bind import base_name, bind_launches, check_call, choose_kernels
from roofmark.records import Missing


def seen(name, microseconds, grid=(8, 1, 1)):
    return SeenKernel(
        name=name, grid=grid, block=(32, 1, 1), duration=microseconds * 1e-6, cooperative=False
    )


def profiled(name, microseconds, grid=(8, 1, 1), number=0):
    return Profile(
        kernel=name, launch=number, grid=grid, block=(32, 1, 1), duration=microseconds * 1e-6,
        metrics={},
    )  # fmt: skip


def bind(launches, kernels):
    return bind_launches(launches, kernels, sum(kernel.duration for kernel in kernels))


@pytest.mark.parametrize(
    ("cupti", "ncu", "base"),
    [
        ("_copy", "_copy", "_copy"),
        ("void (anonymous namespace)::scale<2000>(float const*, long)",
         "void <unnamed>::scale<(int)2000>(const float *, long)", "scale"),
        ("void at::native::reduce_kernel<512, 1, at::native::ReduceOp<float, "
         "at::native::func_wrapper_t<float, at::native::sum_functor<float, float, float>::"
         "operator()(at::TensorIterator&)::{lambda(float, float)#1}>, unsigned int, float, 4, 4> "
         ">(at::native::ReduceOp<float>)",
         "void native::reduce_kernel<512, 1, native::ReduceOp<float, native::func_wrapper_t<float, "
         "native::sum_functor<float, float, float>::operator ()(at::TensorIterator &)::"
         "[lambda(float, float) (instance 1)]>, unsigned int, float, 4>>(T3)", "reduce_kernel"),
        ("void k<(3 > 2), true>(int)", "void k<1, 1>(int)", "k"),
        ("nvjet_sm90_tst_64x8_NNT", "nvjet_sm90_tst_64x8_NNT", "nvjet_sm90_tst_64x8_NNT"),
        ("", "", ""),
    ],
)  # fmt: skip
def test_two_spellings_of_a_kernel_have_one_base_name(cupti, ncu, base):
    assert base_name(cupti) == base_name(ncu) == base


def test_the_last_kernel_of_a_table_does_not_pass_for_the_timed_one():
    """A matrix product of 605 us was once explained with the counters of the sum after it."""
    with pytest.raises(Refused, match="ncu did not see gemm"):
        bind([profiled("void reduce<4>(int)", 46.6)], [seen("gemm", 604.9), seen("reduce", 46.6)])


def test_equal_launches_are_bound_in_order():
    kernels = [seen("a", 20), seen("b", 50), seen("a", 30)]
    found = bind([profiled("a", 21), profiled("a", 33), profiled("b", 48)], kernels)
    assert [each.seen for each in found] == pytest.approx([20e-6, 30e-6, 50e-6])
    assert sum(each.share for each in found) == pytest.approx(1)


def test_the_same_name_with_another_grid_is_another_kernel():
    with pytest.raises(Refused) as caught:
        bind([profiled("a", 20, grid=(9, 1, 1))], [seen("a", 20)])
    assert caught.value.kind == "other_kernels" and "9x1x1" in caught.value.reason


@pytest.mark.parametrize(
    ("alone", "under", "same"),
    [(20, 45, True), (20, 80, False), (100, 30, False), (1.1, 4.2, True), (2, 11, True),
     (2, 13, False)],
)  # fmt: skip
def test_a_time_far_off_is_another_kernel_but_not_near_the_launch_floor(alone, under, same):
    if same:
        assert bind([profiled("a", under)], [seen("a", alone)])
        return
    with pytest.raises(Refused) as caught:
        bind([profiled("a", under)], [seen("a", alone)])
    assert caught.value.kind == "other_times"


def test_a_launch_without_a_duration_is_no_launch():
    launch = Profile(kernel="a", launch=0, grid=(8, 1, 1), block=(32, 1, 1),
                     duration=Missing(reason="n/a"), metrics={})  # fmt: skip
    with pytest.raises(Refused) as caught:
        bind([launch], [seen("a", 20)])
    assert caught.value.kind == "no_values"


def test_a_call_is_compared_with_what_was_measured_where_that_is_known():
    check_call(40e-6, 100e-6, "graph")
    check_call(40e-6, Missing(reason="call tier alone"), "")
    with pytest.raises(Refused, match=r"40\.00 µs together; measured were 200\.0 µs"):
        check_call(40e-6, 200e-6, "graph")


def test_few_kernels_are_all_counted_and_of_many_those_that_take_the_time():
    kernels = [seen("small", 1)] * 5 + [seen("big", 90), seen("middle", 30), seen("big", 80)]
    assert choose_kernels(kernels, 8).names == ()
    some = choose_kernels(kernels, 3)
    assert some.names == ("big", "middle")
    assert [kernel.name for kernel in some.kernels] == ["big", "middle", "big"]
    # Fewer than the first name has: some of its launches, never none.
    (first,) = choose_kernels(kernels, 1).kernels
    assert first.duration == pytest.approx(90e-6)

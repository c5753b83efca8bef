// A pool of threads that spin for a while when their work is done, as OpenMP's do, then sleep.
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "mix.h"

namespace {

using Clock = std::chrono::steady_clock;
constexpr long kThreads = 2;
// What OMP_WAIT_POLICY means by default: 200 ms is the longest that is in use.
constexpr auto kSpin = std::chrono::milliseconds(200);

class Pool {
 public:
  Pool() {
    for (long k = 1; k < kThreads; ++k) std::thread([this, k] { Serve(k); }).detach();
  }

  void Run(const Mixing& job) {
    {
      std::lock_guard lock(mutex_);
      job_ = &job;
      left_ = kThreads - 1;
      ++round_;
    }
    wake_.notify_all();
    Part(job, 0);
    while (left_ > 0) {
    }
  }

 private:
  static void Part(const Mixing& job, long k) {
    job.Rows(k * job.n / kThreads, (k + 1) * job.n / kThreads);
  }

  void Serve(long k) {
    for (long seen = 0;;) {
      const auto until = Clock::now() + kSpin;
      while (round_ == seen && Clock::now() < until) {
      }
      if (round_ == seen) {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [&] { return round_ != seen; });
      }
      seen = round_;
      Part(*job_, k);
      --left_;
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  const Mixing* job_ = nullptr;
  std::atomic<long> round_{0}, left_{0};
};

}  // namespace

void Mix(TensorView x, TensorView w, TensorView, TensorView y) {
  static Pool& pool = *new Pool;
  pool.Run(Mixing(x, w, y));
}

TVM_FFI_DLL_EXPORT_TYPED_FUNC(mix, Mix);

// How OpenMP's threads wait for work, which their runtime reads from the environment while it is being
// loaded.
#pragma once

namespace stainfold::preload {

// While one lives, GNU's runtime is asked to spin for some half a millisecond before a thread sleeps: long
// enough for the next of a network's operations to follow, where its own 300,000 iterations take many: on a
// machine that has other work to do, threads that spin keep the core from the one thread they wait for.
// OMP_WAIT_POLICY or GOMP_SPINCOUNT of the user's own stay as they are. Afterwards the environment is what it
// was, for child processes to inherit.
class ShortWaits {
 public:
  ShortWaits();
  ~ShortWaits();
  ShortWaits(const ShortWaits&) = delete;
  ShortWaits& operator=(const ShortWaits&) = delete;

 private:
  bool set_ = false;
};

}  // namespace stainfold::preload

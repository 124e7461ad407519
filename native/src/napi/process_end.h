// The end of a process in which threads still compute.
#pragma once

namespace stainfold::addon {

// The process will end by std::exit(), now or soon, and a thread of LibTorch's is still at work: it ends with
// this code before any static object is destroyed, since the thread would meet LibTorch without its globals.
// What JavaScript has still to say at its exit is said.
void end_without_destructors(int code) noexcept;

}  // namespace stainfold::addon

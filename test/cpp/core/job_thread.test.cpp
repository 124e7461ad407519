#include "core/job_thread.h"

#include <future>
#include <string>
#include <vector>

#include "cases.h"
#include "core/interrupt.h"
#include "stainfold/error.h"

using stainfold::Job;
using stainfold::JobThread;

namespace {

Job noting(std::string& log, std::mutex& mutex, char name) {
  const auto note = [&log, &mutex](const std::string& text) {
    const std::lock_guard lock(mutex);
    log += text;
  };
  return {[note, name] { note(std::string(1, name)); }, [note, name] { note(std::string("-") + name); }};
}

// Holds the thread until released, so that what is posted meanwhile is certainly queued.
struct Gate {
  std::promise<void> entered, release;
  Job job() {
    return {[this] {
              entered.set_value();
              release.get_future().wait();
            },
            [] {}};
  }
};

}  // namespace

TEST_CASE("jobs run on one other thread, in order") {
  std::vector<int> order;
  std::vector<std::thread::id> ids;
  std::promise<void> done;
  JobThread thread;
  for (int i = 0; i < 100; ++i) {
    thread.post({[&, i] {
                   order.push_back(i);
                   ids.push_back(std::this_thread::get_id());
                   if (i == 99) done.set_value();
                 },
                 [] {}});
  }
  done.get_future().wait();
  REQUIRE(order.size() == 100);
  for (int i = 0; i < 100; ++i) {
    CHECK(order[i] == i);
    CHECK(ids[i] == ids[0]);
  }
  CHECK(ids[0] != std::this_thread::get_id());
}

TEST_CASE("stop drops what is queued, finishes what runs, then runs the last job") {
  std::string log;
  std::mutex mutex;
  Gate gate;
  JobThread thread;
  thread.post(gate.job());
  thread.post(noting(log, mutex, 'a'));
  thread.post(noting(log, mutex, 'b'));
  gate.entered.get_future().wait();
  thread.stop(noting(log, mutex, 'z'));
  CHECK(log == "-a-b");
  CHECK_FALSE(thread.ended());
  gate.release.set_value();
  thread.join();
  CHECK(thread.ended());
  CHECK(log == "-a-bz");
}

TEST_CASE("a stopped thread drops posts and further last jobs, and stays stopped") {
  std::string log;
  std::mutex mutex;
  JobThread thread;
  thread.stop();
  thread.stop(noting(log, mutex, 'y'));
  thread.post(noting(log, mutex, 'a'));
  thread.join();
  thread.join();
  CHECK(log == "-y-a");
}

TEST_CASE("a drop may post again without deadlock") {
  std::string log;
  std::mutex mutex;
  Gate gate;
  JobThread thread;
  thread.post(gate.job());
  thread.post({[] {}, [&] { thread.post(noting(log, mutex, 'a')); }});
  gate.entered.get_future().wait();
  thread.stop();
  gate.release.set_value();
  thread.join();
  CHECK(log == "-a");
}

TEST_CASE("the destructor joins: every job was run or dropped") {
  for (int round = 0; round < 200; ++round) {
    std::atomic<int> run = 0, dropped = 0;
    {
      JobThread thread;
      for (int i = 0; i < 20; ++i) thread.post({[&] { ++run; }, [&] { ++dropped; }});
    }
    CHECK(run + dropped == 20);
  }
}

TEST_CASE("an abandoned job gives up at its next check; one that is only stopped goes on") {
  for (const bool abandoned : {true, false}) {
    std::promise<void> entered, release;
    std::atomic<bool> gave_up = false, finished = false, dropped = false;
    JobThread thread;
    thread.post({[&] {
                   stainfold::check_interrupt();  // nothing is asked of it yet
                   entered.set_value();
                   release.get_future().wait();
                   try {
                     stainfold::check_interrupt();
                     finished = true;
                   } catch (const stainfold::Error&) {
                     gave_up = true;
                   }
                 },
                 [] {}});
    thread.post({[] {}, [&] { dropped = true; }});
    entered.get_future().wait();
    abandoned ? thread.abandon() : thread.stop();
    CHECK(dropped);
    CHECK_FALSE(thread.ends_by(std::chrono::steady_clock::now() + std::chrono::milliseconds(5)));
    release.set_value();
    CHECK(thread.ends_by(std::chrono::steady_clock::now() + std::chrono::seconds(60)));
    CHECK(gave_up == abandoned);
    CHECK(finished == !abandoned);
  }
  stainfold::check_interrupt();  // this thread is none's to interrupt
}

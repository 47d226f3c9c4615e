// Exceptions through the C library's qsort, through libraries loaded late, between threads, out of
// new, and the forced unwinding of pthread_exit.
#include <cstdlib>
#include <dlfcn.h>
#include <exception>
#include <new>
#include <pthread.h>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "victim.h"

namespace
{

int destroyed;

struct Counted {
    std::string text = std::string(100, 'x');
    ~Counted()
    {
        destroyed++;
    }
};

int throws_in_compare(const void *, const void *)
{
    Counted counted;
    throw std::runtime_error("from a comparison");
}

void across_qsort()
{
    int numbers[20] = {3, 1, 2};
    try {
        qsort(numbers, 20, sizeof numbers[0], throws_in_compare);
        CHECK(!"qsort returned");
    } catch (const std::runtime_error &error) {
        CHECK(std::string(error.what()) == "from a comparison");
    }
}

void between_threads()
{
    std::exception_ptr carried;
    std::thread thread([&] {
        try {
            std::vector<int>(10).at(11);
        } catch (...) {
            carried = std::current_exception();
        }
    });
    thread.join();
    try {
        std::rethrow_exception(carried);
    } catch (const std::out_of_range &) {
        SAY("out of range\n");
    }
}

void out_of_new()
{
    volatile std::size_t huge = static_cast<std::size_t>(PTRDIFF_MAX);
    try {
        KEEP(operator new(huge));
        CHECK(!"new returned");
    } catch (const std::bad_alloc &) {
        SAY("bad alloc\n");
    }
    CHECK(operator new(huge, std::nothrow) == nullptr);
}

void *unwinds(void *argument)
{
    Counted counted;
    pthread_exit(argument);
}

void through_library(const std::string &path)
{
    void *library = dlopen(path.c_str(), RTLD_NOW);
    CHECK(library != nullptr);
    auto throws = reinterpret_cast<void (*)()>(dlsym(library, "plugin_throw"));
    auto catches = reinterpret_cast<int (*)(int (*)())>(dlsym(library, "plugin_catch"));
    CHECK(throws != nullptr && catches != nullptr);
    try {
        Counted counted;
        throws();
    } catch (const std::logic_error &error) {
        CHECK(std::string(error.what()) == "from the plugin");
    }
    CHECK(catches([]() -> int { throw std::logic_error("from the program"); }) == 77);
}

} // namespace

int main(int, char **argv)
{
    std::string path(argv[0]);
    path = path.substr(0, path.rfind('/') + 1) + "victim_plugin_throw.so";
    for (int i = 0; i < 30; i++) {
        across_qsort();
        through_library(path);
        pthread_t thread;
        CHECK(pthread_create(&thread, nullptr, unwinds, nullptr) == 0);
        pthread_join(thread, nullptr);
    }
    between_threads();
    out_of_new();
    SAY("destroyed %d\n", destroyed);
    return victim_end();
}

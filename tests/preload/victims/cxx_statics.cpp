// Static and thread-local objects that allocate before main and free after it; operator new in all
// its forms.
#include <map>
#include <memory>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include "victim.h"

namespace
{

struct Registry {
    std::map<int, std::string> entries;
    Registry()
    {
        for (int i = 0; i < 300; i++)
            entries[i] = std::string(static_cast<std::size_t>(i), 'r');
    }
    ~Registry()
    {
        std::size_t bytes = 0;
        for (const auto &entry : entries)
            bytes += entry.second.size();
        entries.clear();
        victim_churn(50);
        SAY("registry of %zu\n", bytes);
    }
};

Registry registry;
thread_local std::vector<std::string> local;

struct alignas(256) Wide {
    char bytes[300];
};

} // namespace

int main()
{
    for (int i = 0; i < 40; i++) {
        std::thread([i] {
            for (int n = 0; n < i; n++)
                local.push_back(std::string(200, 'l'));
        }).join();
    }
    local.emplace_back(1000, 'm');
    std::vector<std::unique_ptr<Wide>> wide;
    for (int i = 0; i < 50; i++)
        wide.push_back(std::make_unique<Wide>());
    for (const auto &one : wide)
        CHECK(reinterpret_cast<std::uintptr_t>(one.get()) % 256 == 0);
    auto *sized = static_cast<char *>(operator new(100));
    operator delete(sized, static_cast<std::size_t>(100));
    delete[] new (std::nothrow) int[0];
    return victim_end();
}

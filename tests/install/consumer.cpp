// The C interface from C++: a resource's owner that counts itself.
#include <cstdio>
#include <memory>
#include <vector>

#include <leakshim/leakshim.h>

class Listener
{
  public:
    Listener() : handle_(leakshim_acquire(sizeof(Listener)))
    {
    }
    ~Listener()
    {
        leakshim_release(handle_);
    }
    Listener(const Listener &) = delete;
    Listener &operator=(const Listener &) = delete;

  private:
    uint64_t handle_;
};

int main()
{
    leakshim_live mark{};
    leakshim_live growth{};
    std::vector<std::unique_ptr<Listener>> listeners;

    mark.size = growth.size = sizeof(mark);
    if (leakshim_mark(&mark) != 0)
        return 2;
    for (int i = 0; i < 7; i++)
        listeners.push_back(std::make_unique<Listener>());
    listeners.pop_back();
    if (leakshim_growth_since(&mark, &growth) != 0)
        return 2;
    std::printf("%lld listeners\n", static_cast<long long>(growth.custom_count));
    return growth.custom_count == 6 ? 0 : 1;
}

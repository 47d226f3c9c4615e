// What C++ keeps: objects made with new, and containers. The labels name the program's function,
// not the standard library's inside of it.
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "service.h"

namespace
{

struct Session {
    explicit Session(unsigned id) : name("session number " + std::to_string(id) + " of a user")
    {
        memset(data, 0x5a, sizeof(data));
    }
    std::string name;
    char data[1000];
};

class Registry
{
  public:
    // A raw pointer that nobody deletes.
    SITE void open(unsigned id)
    {
        last = new Session(id);
    }

    // A shared pointer in a map from which nothing is erased.
    SITE void enter(unsigned id)
    {
        sessions[id] = std::make_shared<Session>(id);
    }

    // The oldest goes when there are five hundred.
    SITE void replace(unsigned id)
    {
        enter(id);
        if (sessions.size() > 500)
            sessions.erase(sessions.begin());
    }

  private:
    Session *last = nullptr;
    std::map<unsigned, std::shared_ptr<Session>> sessions;
};

Registry registry;

void serve(double rate, void (*step)(unsigned))
{
    struct pace pace = {};

    for (unsigned id = 0;;) {
        for (unsigned left = due(&pace, rate); left > 0; left--)
            step(id++);
        tick();
    }
}

void objects()
{
    serve(300, [](unsigned id) { registry.open(id); });
}

void shared()
{
    serve(300, [](unsigned id) { registry.enter(id); });
}

void replaced()
{
    serve(300, [](unsigned id) { registry.replace(id); });
}

// Vectors and strings that are made for each request and end with it.
SITE void answer(unsigned id)
{
    static std::unordered_map<unsigned, std::vector<std::string>> open;
    std::vector<std::string> &lines = open[id % 64];

    lines.clear();
    for (unsigned line = 0; line < 1 + id % 40; line++)
        lines.emplace_back(20 + line * 4, 'x');
}

void containers()
{
    serve(600, answer);
}

const struct service_case cases[] = {
    {"objects", objects},
    {"shared", shared},
    {"replaced", replaced},
    {"containers", containers},
};

} // namespace

int main(int argc, char **argv)
{
    return RUN_CASE(cases, argc, argv);
}

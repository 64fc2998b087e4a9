#include "core/mail_address.hpp"

#include <gtest/gtest.h>

#include <string>

using snapback::is_mail_address;

TEST(MailAddress, TakesWhatOwnersHave) {
    for (const char *address : {"ada@example.org", "a@b", "first.last+tag@mail.example.co", "root@localhost",
                                "x_y-z@1.2.3", "!#$%&'*+/=?^_`{|}~@example.org", "A@B.C", "a@xn--bcher-kva.example"})
        EXPECT_TRUE(is_mail_address(address)) << address;
}

TEST(MailAddress, RefusesAllElse) {
    for (const char *address : {"",           "a",         "@",
                                "a@",         "@b",        "a@b@c",
                                "a b@c",      "a@b c",     " a@b",
                                "a@b ",       "\"a b\"@c", "a..b@c",
                                ".a@b",       "a.@b",      "a@b.",
                                "a@.b",       "a@b..c",    "a@-b",
                                "a@b-",       "a@b-.c",    "a@[127.0.0.1]",
                                "a@b_c",      "a@b,c@d",   "a@b;c@d",
                                "<a@b>",      "a@b>",      "a(b)@c",
                                "a:b@c",      "a\\b@c",    "a@b\r\nRCPT TO:<c@d>",
                                "a@b\n",      "a\t@b",     "a@b\x7f",
                                "\xc3\xa4@b", "a@\xc3\xa4"})
        EXPECT_FALSE(is_mail_address(address)) << address;
    EXPECT_FALSE(is_mail_address(std::string("a@b\0c", 5)));
}

TEST(MailAddress, RefusesEveryCharacterOutsideTheGrammar) {
    const std::string local = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-/=?^_`{|}~.";
    for (int c = 0; c < 256; c++) {
        std::string address = std::string("a") + static_cast<char>(c) + "b@c";
        bool expected = local.find(static_cast<char>(c)) != std::string::npos;
        EXPECT_EQ(is_mail_address(address), expected) << c;
    }
}

TEST(MailAddress, KeepsToTheLengthsOfSmtp) {
    EXPECT_TRUE(is_mail_address(std::string(64, 'a') + "@b"));
    EXPECT_FALSE(is_mail_address(std::string(65, 'a') + "@b"));
    EXPECT_TRUE(is_mail_address("a@" + std::string(63, 'b')));
    EXPECT_FALSE(is_mail_address("a@" + std::string(64, 'b')));
    std::string domain = std::string(63, 'a') + "." + std::string(63, 'b') + "." + std::string(63, 'c') + ".";
    EXPECT_TRUE(is_mail_address("a@" + domain + std::string(254 - 2 - domain.size(), 'd')));
    EXPECT_FALSE(is_mail_address("a@" + domain + std::string(255 - 2 - domain.size(), 'd')));
}

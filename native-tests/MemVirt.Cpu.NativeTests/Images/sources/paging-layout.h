// Where things are in the page under test, and where that page and the user's code are.
#define DATA_ADDRESS 0x805000   // physical; 4 KiB of a 2 MiB, 4 MiB and 1 GiB page as well
#define READ_OFFSET 0x48
#define WRITE_OFFSET 0x40
#define WRITTEN 0x77
#define READ_MARK 0xA5
#define ACCESSED_SELECTOR 0x0C  // the local descriptor table is the page under test: 8 = accessed set, 16 = clear
#define CLEAR_SELECTOR 0x14
#if MODE == 64
#define USER_ADDRESS 0x8000000000
#define USER_CODE_SELECTOR 0x2B
#else
#define USER_ADDRESS 0x40000000
#define USER_CODE_SELECTOR 0x1B
#endif

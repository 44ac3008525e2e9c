// Every combination of entry bits, kind of access and control bits, in one of three modes: MODE is 64 (4-level paging),
// 36 (PAE) or 32. Each case sets the entries, invalidates, makes the access and looks at what came of it; a model of the
// manual's rules (Intel SDM Vol. 3A sections 4.3 to 4.8) says what should have come of it.
//
// Options: section=A,B group=A,B verbose (a line for each setting of the control bits) print (a line for each case)
//          ctl=N pk=N kind=N (only these)
#include "lib.h"
#include "paging-layout.h"

#if MODE == 32
typedef u32 entry;
#define LEVELS 2
#else
typedef u64 entry;
#define LEVELS (MODE == 64 ? 4 : 2)
#endif
#if MODE == 64
#define TEST_ADDRESS 0x100C0805000ull
#else
#define TEST_ADDRESS 0x80805000u
#endif
#define TABLE_ENTRIES (4096 / sizeof(entry))
#define LARGE_BASE 0x800000u // 2 MiB and 4 MiB; of the 1 GiB page it is 0

enum { P = 1, RW = 2, US = 4, PS = 8, XD = 16, A = 32, D = 64, G = 128, RSV = 256, ALL = 511 };
enum { WP = 1, SMEP = 2, SMAP = 4, NXE = 8, PCIDE = 16, PSE = 32 };
enum kind { SR, SW, SF, SRA, SWA, UR, UW, UF, IR, IRA, IRU, IWU, KINDS };
static const char *const kind_names[KINDS] = { "s-read", "s-write", "s-fetch", "s-read-ac", "s-write-ac", "u-read", "u-write", "u-fetch",
    "implicit-read", "implicit-read-ac", "implicit-read-cpl3", "implicit-write-cpl3" };
enum { USER = 1, WRITE = 2, FETCH = 4, OVERRIDE = 8, IMPLICIT = 16, READ_FIRST = 32 };
static const u8 kind_traits[KINDS] = { 0, WRITE, FETCH, OVERRIDE, WRITE | OVERRIDE, USER, USER | WRITE, USER | FETCH,
    IMPLICIT, IMPLICIT, IMPLICIT, IMPLICIT | WRITE | READ_FIRST };
static const u8 kind_offsets[KINDS] = { READ_OFFSET, WRITE_OFFSET, 0, READ_OFFSET, WRITE_OFFSET, READ_OFFSET, WRITE_OFFSET, 0, 8, 8, 8, 16 };
enum { ERROR_P = 1, ERROR_W = 2, ERROR_U = 4, ERROR_RSVD = 8, ERROR_ID = 16, ERROR_PK = 32 };
enum { KEY = 5 };

#define ENTRY_A ((entry)1 << 5)
#define ENTRY_D ((entry)1 << 6)
#define ENTRY_PS ((entry)1 << 7)

// ---- the machine: tables, control registers, one access

#if MODE == 64
void access_run(u64 kind);
#else
__attribute__((regparm(1))) void access_run(u32 kind);
#endif
extern volatile uptr access_address, access_cr2, page_fault_otherwise;
extern volatile u32 access_vector, access_error, access_value;
extern u8 page_fault_entry[], completed_entry[], user_code[];
extern u8 broken_entries[];

static entry tables[LEVELS][TABLE_ENTRIES] PAGE_ALIGNED; // of the page under test; the top one is also the kernel's
static entry low_tables[32 / (MODE == 32 ? 4 : 2)][TABLE_ENTRIES] PAGE_ALIGNED;
static entry user_tables[LEVELS][TABLE_ENTRIES] PAGE_ALIGNED;
#if MODE != 32
static u64 low_directory[512] PAGE_ALIGNED;
static u64 low_pointers[512] PAGE_ALIGNED;
#endif
#if MODE == 36
static u64 pdpt[4] __attribute__((aligned(32)));
#endif
static entry *slots[LEVELS];
static uptr root;
static u32 by_cr3; // invalidate with MOV to CR3 instead of INVLPG

static u32 index_of(u64 address, int level)
{
    return (u32)(address >> (12 + level * (MODE == 32 ? 10 : 9))) & (TABLE_ENTRIES - 1);
}

static void build_tables(void)
{
    entry *low = &low_tables[0][0];
    for (u32 i = 0; i < sizeof low_tables / sizeof(entry); i++) low[i] = (entry)i << 12 | 0x63;
    // The level whose entries point to the low tables, and what is above it.
#if MODE == 32
    for (u32 i = 0; i < COUNT(low_tables); i++) tables[1][i] = (entry)(uptr)low_tables[i] | 0x63;
    tables[1][index_of(USER_ADDRESS, 1)] = (uptr)user_tables[0] | 0x67;
    root = (uptr)tables[1];
#else
    for (u32 i = 0; i < COUNT(low_tables); i++) low_directory[i] = (uptr)low_tables[i] | 0x63;
#if MODE == 64
    low_pointers[0] = (uptr)low_directory | 0x63;
    tables[3][0] = (uptr)low_pointers | 0x63;
    tables[3][index_of(USER_ADDRESS, 3)] = (uptr)user_tables[2] | 0x67;
    user_tables[2][0] = (uptr)user_tables[1] | 0x67;
    root = (uptr)tables[3];
#else
    (void)low_pointers;
    pdpt[0] = (uptr)low_directory | 1;
    pdpt[USER_ADDRESS >> 30] = (uptr)user_tables[1] | 1;
    pdpt[TEST_ADDRESS >> 30] = (uptr)tables[1] | 1;
    root = (uptr)pdpt;
#endif
    user_tables[1][0] = (uptr)user_tables[0] | 0x67;
#endif
    user_tables[0][0] = (uptr)user_code | 0x25;
    for (int level = 0; level < LEVELS; level++) slots[level] = &tables[level][index_of(TEST_ADDRESS, level)];

    u8 *data = (u8 *)DATA_ADDRESS;
    data[0] = 0xCD;
    data[1] = 0x81;
    static const u32 descriptors[] = { 0x0000FFFF, 0x00CFF300, 0x0000FFFF, 0x00CFF200 };
    memcpy(data + 8, descriptors, sizeof descriptors);
    data[READ_OFFSET] = READ_MARK;
}

// ---- the model of the manual

static u32 control, protection; // of now; protection 0: CR4.PKE = 0; n: PKRU gives the key rights n - 1
static entry reserved[LEVELS][2]; // by the entry's PS flag
static u8 leaf_level[LEVELS];     // whether PS makes a page of an entry at this level
static u8 cr4_paging;

#if MODE != 32
static u64 high_reserved(void)
{
    u64 all = (MODE == 64 ? 1ull << 52 : 1ull << 63) - 1; // 4-level: bits 51:M; PAE: 62:M
    return all & ~((1ull << features.physical_bits) - 1);
}
#endif

static void model_controls(void)
{
    memset(reserved, 0, sizeof reserved);
    memset(leaf_level, 0, sizeof leaf_level);
#if MODE == 32
    // Table 4-4 and 4-5: bit 21, and the bits of 20:13 that PSE-36 or MAXPHYADDR leave unused. PS is ignored with CR4.PSE = 0.
    if (control & PSE) {
        leaf_level[1] = 1;
        u32 extra = !features.pse36 || features.physical_bits <= 32 ? 0 : features.physical_bits >= 40 ? 8 : features.physical_bits - 32;
        for (u32 bit = 13 + extra; bit <= 21; bit++) reserved[1][1] |= 1u << bit;
    }
#else
    leaf_level[1] = 1;
    if (MODE == 64) leaf_level[LEVELS - 2] = features.page1g;
    for (int level = 0; level < LEVELS; level++)
        for (int ps = 0; ps < 2; ps++) {
            entry r = high_reserved() | (control & NXE ? 0 : 1ull << 63);
            if (ps && level == 1) r |= 0x1FE000;                          // 20:13
            if (ps && level == 2) r |= features.page1g ? 0x3FFFE000 : ENTRY_PS; // 29:13
            if (ps && level == 3) r |= ENTRY_PS;
            reserved[level][ps] = r;
        }
#endif
}

struct path { u32 fault; u8 used, stopped, us, rw, xd, leaf, denied_access, denied_write; }; // fault: 0, or P and RSVD with MISSING
enum { MISSING = 0x100 };

static struct path model_walk(const entry *e)
{
    struct path path = { .us = 1, .rw = 1 };
    for (int level = LEVELS - 1;; level--) {
        entry at = e[level];
        int ps = level && (at & ENTRY_PS);
        if (!(at & 1)) { path.fault = MISSING; path.leaf = (u8)level; return path; }
        if (at & reserved[level][ps]) {
            path.fault = MISSING | ERROR_P | ERROR_RSVD;
            path.leaf = (u8)level;
            path.stopped = 1 << level;
            return path;
        }
        path.rw &= at >> 1 & 1;
        path.us &= at >> 2 & 1;
#if MODE != 32
        path.xd |= at >> 63;
#endif
        path.used |= 1 << level;
        if (!level || (ps && leaf_level[level])) {
            path.leaf = (u8)level;
#if MODE == 64
            if (protection && path.us) { // section 4.6.2
                u32 rights = (at >> 59 & 15) == KEY ? protection - 1 : 4 - protection;
                path.denied_access = rights & 1;
                path.denied_write = rights >> 1;
            }
#endif
            return path;
        }
    }
}

// Section 4.6.1 for one access: 0, or the fault's error code by section 4.7.
static u32 model_rights(const struct path *path, u32 traits)
{
    u32 user = traits & USER, write = traits & WRITE, fetch = traits & FETCH;
    u32 code = (write ? ERROR_W : 0) | (user ? ERROR_U : 0) | (fetch && control & (MODE == 32 ? SMEP : SMEP | NXE) ? ERROR_ID : 0);
    if (path->fault) return code | path->fault;
    u32 denied = 0;
    if (user && !path->us) denied = 1;
    if (fetch) {
        if (path->xd) denied = 1; // with NXE = 0 it is reserved and does not come here
        if (!user && path->us && control & SMEP) denied = 1;
    } else {
        if (!user && path->us && control & SMAP && !(traits & OVERRIDE)) denied = 1;
        if (write && !path->rw && (user || control & WP)) denied = 1;
        if (path->denied_access || (write && path->denied_write && (user || control & WP))) { denied = 1; code |= ERROR_PK; }
    }
    return denied ? code | ERROR_P | MISSING : 0;
}

// ---- one case

// Known ways of being wrong have a count of their own, and `hash` takes what should have been in their place: that is what
// two machines can be compared by. `raw` has what was, `marks` the accessed bits of faulting accesses as well.
enum wrong { OTHER, RSVD_WITHOUT_P, IMPLICIT_AC, WRONGS };
struct group {
    const char *name;
    u32 cases, faults, wrong[WRONGS], odd, hash, raw_hash, soft_hash;
};
static struct group now, everything;
static u32 only_control, only_protection, only_kind, print, verbose, shown[WRONGS];

static inline u32 mix(u32 hash, u32 word) { return ((hash << 5 | hash >> 27) ^ word) * 0x9E3779B1u; }

static void put_entries(const entry *e)
{
    for (int level = LEVELS - 1; level >= 0; level--) {
        entry at = e[level];
        u64 shown_bits = (at & 0xFFF) | (at & reserved[level][(at & ENTRY_PS) != 0] & ~0xFFFull);
        put(" %X", shown_bits | (sizeof(entry) == 8 ? (u64)at & 1ull << 63 : 0));
    }
}

static void put_case(const char *what, const entry *e, u32 kind, u32 fault, u32 expected, u32 marks, u32 expected_marks)
{
    put("| %s %s ctl=%x pk=%u %s", what, now.name, control, protection, kind_names[kind]);
    put_entries(e);
    if (fault) put(" -> #PF(%x)", fault & 0xFF);
    else put(" -> ok");
    put(" marks %x", marks);
    if (what[0] != 'c') {
        if (expected) put(", should be #PF(%x)", expected & 0xFF);
        else put(", should be ok");
        put(" marks %x", expected_marks);
    }
    put("\n");
}

static void run_case(const entry *e, const struct path *path, u32 kind)
{
    for (int level = 0; level < LEVELS; level++) *slots[level] = e[level];
    if (by_cr3) write_cr3(read_cr3());
    else invlpg((uptr)TEST_ADDRESS);
    access_run(kind);
    barrier();

    // What was: 0 or the error code with MISSING; marks = accessed bits, dirty bits << 4, anything else << 8.
    u32 traits = kind_traits[kind], fault = access_vector == 14 ? access_error | MISSING : 0, marks = 0;
    for (int level = 0; level < LEVELS; level++) {
        entry changed = *slots[level] ^ e[level];
        if (!changed) continue;
        if (changed & ENTRY_A) marks |= 1u << level;
        if (changed & ENTRY_D) marks |= 0x10u << level;
        if (changed & ~(ENTRY_A | ENTRY_D)) marks |= 0x100;
        if (~*slots[level] & changed & (ENTRY_A | ENTRY_D)) marks |= 0x200; // one was cleared
    }

    // What should be.
    u32 expected = 0, read = 0;
    if (traits & READ_FIRST) expected = read = model_rights(path, traits & ~WRITE);
    if (!expected) expected = model_rights(path, traits);
    u32 may_mark = path->used, expected_marks = 0; // accessed: those that were clear
    for (int level = 0; level < LEVELS; level++) if (e[level] & ENTRY_A) may_mark &= ~(1u << level);
    expected_marks = may_mark;
    if (!expected && traits & WRITE && !(e[path->leaf] & ENTRY_D)) expected_marks |= 0x10u << path->leaf;

    // Section 4.8 binds a completed access; of one that faults it leaves open which of the present entries read are marked accessed.
    u32 could_mark = may_mark | (e[path->leaf] & ENTRY_A ? 0 : path->stopped);
    int right = fault == expected && (fault ? !(marks & ~could_mark) : marks == expected_marks);
    u32 settled = fault ? marks & ~could_mark : marks, offset = kind_offsets[kind], extra = 0;
    if (fault) {
        u64 distance = access_cr2 - (TEST_ADDRESS + offset);
        if (traits & IMPLICIT ? distance >= 8 : distance != 0) right = 0, extra = 1;
    } else {
        volatile u8 *data = (volatile u8 *)DATA_ADDRESS;
        if (traits & IMPLICIT) {
            if (traits & WRITE) {
                if (!(data[21] & 1)) right = 0, extra = 2;
                data[21] = 0xF2;
            }
        } else if (traits & FETCH) {
            if (access_vector != 0x81) right = 0, extra = 2;
        } else if (traits & WRITE) {
            if (data[WRITE_OFFSET] != WRITTEN) right = 0, extra = 2;
            data[WRITE_OFFSET] = 0;
        } else if ((access_value & 0xFF) != READ_MARK) right = 0, extra = 2;
    }

    now.cases++;
    u32 outcome = kind << 24 | extra << 16 | fault << 12;
    now.raw_hash = mix(now.raw_hash, outcome | settled);
    now.soft_hash = mix(now.soft_hash, outcome | marks);
    if (!right) {
        enum wrong why = OTHER;
        if (!extra && (expected & ERROR_RSVD) && fault == (expected & ~(u32)ERROR_P)) why = RSVD_WITHOUT_P;
        if (!extra && kind == IRA && control & SMAP && path->us && fault != expected) why = IMPLICIT_AC;
        if (why != OTHER) outcome = kind << 24 | expected << 12, settled = expected ? 0 : expected_marks;
        now.wrong[why]++;
        if (shown[why]++ < (why == OTHER ? 5 : 1)) {
            put_case("wrong", e, kind, fault, expected, marks, expected_marks);
            if (extra) put("|   %s, cr2 %X value %x\n", extra == 1 ? "CR2" : "data", (u64)access_cr2, access_value);
        }
    }
    now.hash = mix(now.hash, outcome | settled);
    now.faults += (outcome >> 12 & MISSING) != 0;
    if (fault) {
        // What processors usually do: the entries above the one that faults are marked; a leaf whose rights fail is not.
        u32 usual = may_mark & ~((path->fault || (traits & READ_FIRST && !read)) ? 0u : 1u << path->leaf);
        now.odd += marks != usual;
    }
    if (print) put_case("case", e, kind, fault, expected, marks, expected_marks);
}

static void run_entries(const entry *e)
{
    struct path path = model_walk(e);
    for (u32 kind = 0; kind < KINDS; kind++)
        if (only_kind >= KINDS || only_kind == kind) run_case(e, &path, kind);
}

// ---- combinations of entries

static entry make(int level, u32 flags)
{
    entry e = (flags & 7) | (flags & PS ? ENTRY_PS : 0) | (flags & A ? ENTRY_A : 0) | (flags & D ? ENTRY_D : 0) | (flags & G ? 0x100 : 0);
    int large = level && flags & PS;
    if (large && leaf_level[level]) e |= level == 1 ? LARGE_BASE : 0;
    else if (level) e |= (uptr)tables[level - 1];
    else e |= DATA_ADDRESS;
#if MODE == 32
    if (flags & RSV && large) e |= reserved[level][1] & 1u << 21;
#else
    if (flags & XD) e |= 1ull << 63;
    if (flags & RSV) e |= 1ull << 51;
#endif
#if MODE == 64
    if (!level || large) e |= (u64)KEY << 59;
#endif
    return e;
}

enum { PERMISSIVE = P | RW | US };

// A path of permissive entries whose leaf is at the level.
static void permissive(entry *e, int leaf)
{
    for (int level = 0; level < LEVELS; level++) e[level] = make(level, PERMISSIVE | (level == leaf && level ? PS : 0));
}

// All subsets of a set of flags: start with 0, stop when it is 0 again.
static inline u32 next(u32 flags, u32 of) { return (flags - of) & of; }
static u32 meaningful(u32 flags) { return MODE == 32 ? flags & ~(u32)XD : flags; }

struct combination { const char *name; int leaf, one, other; u32 one_flags, other_flags; };

static void run_one(const struct combination *c)
{
    entry e[LEVELS];
    permissive(e, c->leaf);
    u32 flags = 0;
    do {
        e[c->one] = make(c->one, flags);
        run_entries(e);
    } while ((flags = next(flags, meaningful(c->one_flags))) != 0);
}

static void run_two(const struct combination *c)
{
    entry e[LEVELS];
    permissive(e, c->leaf);
    u32 one_fixed = c->one == c->leaf && c->one ? PS & ~c->one_flags : 0, other_fixed = c->other == c->leaf && c->other ? PS & ~c->other_flags : 0;
    u32 one = 0, other = 0;
    do {
        e[c->one] = make(c->one, one | one_fixed);
        do {
            e[c->other] = make(c->other, other | other_fixed);
            run_entries(e);
        } while ((other = next(other, meaningful(c->other_flags))) != 0);
    } while ((one = next(one, meaningful(c->one_flags))) != 0);
}

// The same few flags at every level of the path at once; `fixed` is added to each.
static void run_all_levels(int leaf, u32 flags, u32 fixed, u32 leaf_flags)
{
    entry choices[LEVELS][64], e[LEVELS];
    u32 sizes[LEVELS], index[LEVELS];
    permissive(e, leaf);
    for (int level = leaf; level < LEVELS; level++) {
        u32 of = meaningful(flags | (level == leaf ? leaf_flags : 0)), f = 0;
        sizes[level] = index[level] = 0;
        do choices[level][sizes[level]++] = make(level, f | fixed | (level == leaf && level ? PS : 0)); while ((f = next(f, of)) != 0);
    }
    for (;;) {
        for (int level = leaf; level < LEVELS; level++) e[level] = choices[level][index[level]];
        run_entries(e);
        int level = leaf;
        while (level < LEVELS && ++index[level] == sizes[level]) index[level++] = 0;
        if (level == LEVELS) return;
    }
}

static void run_rights(const struct combination *c) { run_all_levels(c->leaf, RW | US | XD, P | A, 0); }
static void run_marks(const struct combination *c) { run_all_levels(c->leaf, P | A, RW | US, D | G); }

// Each bit of an entry by itself, ignored ones too. An address bit that memory has no room for is left out.
static void run_bits(const struct combination *c)
{
    for (u32 bit = 3; bit < sizeof(entry) * 8; bit++) {
        entry e[LEVELS], single = (entry)1 << bit;
        permissive(e, c->leaf);
        if (bit == 7 && !(c->one == 0)) continue;
        u32 ps = c->one && e[c->one] & ENTRY_PS;
        int address = bit >= 12 && bit < (MODE == 32 ? 32 : features.physical_bits);
        if (address && !(reserved[c->one][ps] & single) && !(ps && bit == 12)) continue;
        e[c->one] |= single;
        run_entries(e);
    }
}

// ---- groups and the controls they run under

static void apply(u32 ctl, u32 pk)
{
    control = ctl;
    protection = pk;
    uptr cr4 = cr4_paging;
    write_cr3(root);
    write_cr4(cr4); // PCIDE off: everything is invalidated
    write_cr0((read_cr0() & ~(uptr)CR0_WP) | (ctl & WP ? CR0_WP : 0));
    if (ctl & SMEP) cr4 |= CR4_SMEP;
    if (ctl & SMAP) cr4 |= CR4_SMAP;
    if (ctl & PCIDE) cr4 |= CR4_PCIDE | CR4_PGE;
    if (MODE == 32 && ctl & PSE) cr4 |= CR4_PSE;
    if (pk) cr4 |= CR4_PKE;
    write_cr4(cr4);
    if (features.nx) write_msr(MSR_EFER, (read_msr(MSR_EFER) & ~(u64)EFER_NXE) | (ctl & NXE ? EFER_NXE : 0));
#if MODE == 64
    if (pk) {
        // The page's key has the rights, the other keys their complement: 0 all, 1 no access, 2 no write, 3 neither.
        u32 rights = pk - 1, value = 0;
        for (u32 key = 0; key < 16; key++) value |= (key == KEY ? rights : 3 - rights) << (2 * key);
        write_pkru(value);
    }
#endif
    write_cr3(root | (ctl & PCIDE ? 5 : 0));
    model_controls();
}

static void add(struct group *to, const struct group *g)
{
    to->cases += g->cases;
    to->faults += g->faults;
    to->odd += g->odd;
    for (u32 why = 0; why < WRONGS; why++) to->wrong[why] += g->wrong[why];
    to->hash = mix(to->hash, g->hash);
    to->raw_hash = mix(to->raw_hash, g->raw_hash);
    to->soft_hash = mix(to->soft_hash, g->soft_hash);
}

static void put_group(const struct group *g)
{
    put("%s cases %u faults %u hash %08x | wrong %u rsvd-without-p %u implicit-ac %u raw %08x marks %08x odd %u\n",
        g->name, g->cases, g->faults, g->hash, g->wrong[OTHER], g->wrong[RSVD_WITHOUT_P], g->wrong[IMPLICIT_AC], g->raw_hash, g->soft_hash, g->odd);
}

static void run_group(const char *section, const struct combination *c, void (*run)(const struct combination *), u32 controls, u32 protections)
{
    if (!option_lists("section", section) || !option_lists("group", c->name)) return;
    struct group whole = { .name = c->name };
    if (!features.smep) controls &= ~(u32)SMEP;
    if (!features.smap) controls &= ~(u32)SMAP;
    if (!features.nx) controls &= ~(u32)NXE;
    if (!features.pcid) controls &= ~(u32)PCIDE;
    if (!features.pku) protections = 1;
    shown[OTHER] = 0;
    for (u32 pk = 0; pk < protections; pk++) {
        if (only_protection != ~0u && only_protection != pk) continue;
        u32 ctl = 0;
        do {
            if (only_control != ~0u && only_control != ctl) continue;
            apply(ctl, pk);
            memset(&now, 0, sizeof now);
            now.name = c->name;
            run(c);
            if (verbose) {
                put("ctl %02x pk %u: ", ctl, pk);
                put_group(&now);
            }
            add(&whole, &now);
        } while ((ctl = next(ctl, controls)) != 0);
    }
    apply(0, 0);
    put_group(&whole);
    add(&everything, &whole);
}

#if MODE == 64
enum { FULL = ALL, PAIR = P | RW | US | XD | RSV, SETTINGS = WP | SMEP | SMAP | NXE };
static const struct combination single[] = {
    { "single.pml4e.4k", 0, 3, 0, FULL, 0 }, { "single.pml4e.2m", 1, 3, 0, FULL, 0 }, { "single.pml4e.1g", 2, 3, 0, FULL, 0 },
    { "single.pdpte.4k", 0, 2, 0, FULL, 0 }, { "single.pdpte.2m", 1, 2, 0, FULL, 0 }, { "single.pde", 0, 1, 0, FULL, 0 },
    { "single.pte", 0, 0, 0, FULL, 0 },
};
static const struct combination pairs[] = {
    { "pairs.pml4e-pdpte.4k", 0, 3, 2, PAIR, PAIR }, { "pairs.pml4e-pde.4k", 0, 3, 1, PAIR, PAIR }, { "pairs.pml4e-pte", 0, 3, 0, PAIR, PAIR },
    { "pairs.pdpte-pde.4k", 0, 2, 1, PAIR, PAIR }, { "pairs.pdpte-pte", 0, 2, 0, PAIR, PAIR }, { "pairs.pde-pte", 0, 1, 0, PAIR, PAIR },
    { "pairs.pml4e-pdpte.2m", 1, 3, 2, PAIR, PAIR }, { "pairs.pml4e-pde.2m", 1, 3, 1, PAIR, PAIR }, { "pairs.pdpte-pde.2m", 1, 2, 1, PAIR, PAIR },
    { "pairs.pml4e-pdpte.1g", 2, 3, 2, PAIR, PAIR },
};
static const struct combination rights[] = { { "rights.4k", 0, 0, 0, 0, 0 }, { "rights.2m", 1, 0, 0, 0, 0 }, { "rights.1g", 2, 0, 0, 0, 0 } };
static const struct combination marks[] = { { "marks.4k", 0, 0, 0, 0, 0 }, { "marks.2m", 1, 0, 0, 0, 0 }, { "marks.1g", 2, 0, 0, 0, 0 } };
static const struct combination bits[] = {
    { "bits.pml4e.4k", 0, 3, 0, 0, 0 }, { "bits.pdpte.4k", 0, 2, 0, 0, 0 }, { "bits.pde.4k", 0, 1, 0, 0, 0 }, { "bits.pte", 0, 0, 0, 0, 0 },
    { "bits.pml4e.2m", 1, 3, 0, 0, 0 }, { "bits.pdpte.2m", 1, 2, 0, 0, 0 }, { "bits.pde.2m", 1, 1, 0, 0, 0 },
    { "bits.pml4e.1g", 2, 3, 0, 0, 0 }, { "bits.pdpte.1g", 2, 2, 0, 0, 0 },
};
static const struct combination cr3[] = { { "cr3.pte", 0, 0, 0, FULL, 0 }, { "cr3.pde", 0, 1, 0, FULL, 0 }, { "cr3.pdpte", 0, 2, 0, FULL, 0 } };
#define SINGLE_CONTROLS (SETTINGS | PCIDE)
#define SINGLE_PROTECTIONS 5
#else
enum { FULL = ALL, PAIR = P | RW | US | XD | A | D, SETTINGS = WP | SMEP | SMAP | (MODE == 32 ? PSE : NXE) };
static const struct combination single[] = { { "single.pde", 0, 1, 0, FULL, 0 }, { "single.pte", 0, 0, 0, FULL, 0 } };
static const struct combination pairs[] = {
    { "pairs.pde-pte", 0, 1, 0, FULL, PAIR }, { "pairs.pte-pde", 0, 1, 0, PAIR, FULL },
};
static const struct combination rights[] = { { "rights.4k", 0, 0, 0, 0, 0 }, { "rights.large", 1, 0, 0, 0, 0 } };
static const struct combination marks[] = { { "marks.4k", 0, 0, 0, 0, 0 }, { "marks.large", 1, 0, 0, 0, 0 } };
static const struct combination bits[] = { { "bits.pde.4k", 0, 1, 0, 0, 0 }, { "bits.pde.large", 1, 1, 0, 0, 0 }, { "bits.pte", 0, 0, 0, 0, 0 } };
static const struct combination cr3[] = { { "cr3.pte", 0, 0, 0, FULL, 0 }, { "cr3.pde", 0, 1, 0, FULL, 0 } };
#define SINGLE_CONTROLS SETTINGS
#define SINGLE_PROTECTIONS 1
#endif

#if MODE != 64
#include "paging-own32.h"
#endif

void image_main(void)
{
    load_tables();
    u64 start = read_tsc();
    set_gate(14, page_fault_entry, 0);
    set_gate(0x81, completed_entry, 3);
    page_fault_otherwise = (uptr)broken_entries + 14 * 16;
    access_address = (uptr)TEST_ADDRESS;
    only_control = (u32)option_number("ctl", ~0u);
    only_protection = (u32)option_number("pk", ~0u);
    only_kind = (u32)option_number("kind", KINDS);
    print = option("print") != 0;
    verbose = option("verbose") != 0;

    build_tables();
    cr4_paging = MODE == 32 ? 0 : CR4_PAE;
    write_cr4(cr4_paging);
    write_cr3(root);
    write_cr0(read_cr0() | CR0_PG);
#if MODE == 64
    // The local descriptor table lies in the page under test.
    set_descriptor(LOCAL, (u32)TEST_ADDRESS, 23, 0x82, 0);
    *(u64 *)(gdt + LOCAL + 8) = TEST_ADDRESS >> 32;
#else
    set_descriptor(LOCAL, TEST_ADDRESS, 23, 0x82, 0);
#endif
    __asm__ volatile("lldt %w0" ::"r"(LOCAL));

    put("paging%s: pse %u pse36 %u pge %u nx %u 1g %u smep %u smap %u pcid %u pku %u physical bits %u\n",
        MODE == 64 ? "64" : MODE == 36 ? "pae" : "32", features.pse, features.pse36, features.pge, features.nx, features.page1g,
        features.smep, features.smap, features.pcid, features.pku, features.physical_bits);
    apply(0, 0);
    for (u32 i = 0; i < COUNT(single); i++) run_group("single", &single[i], run_one, SINGLE_CONTROLS, SINGLE_PROTECTIONS);
    for (u32 i = 0; i < COUNT(rights); i++) run_group("rights", &rights[i], run_rights, SETTINGS, 1);
    for (u32 i = 0; i < COUNT(marks); i++) run_group("marks", &marks[i], run_marks, WP | (MODE == 32 ? PSE : 0), 1);
    for (u32 i = 0; i < COUNT(pairs); i++) run_group("pairs", &pairs[i], run_two, SETTINGS, 1);
    for (u32 i = 0; i < COUNT(bits); i++) run_group("bits", &bits[i], run_bits, WP | NXE | (MODE == 32 ? PSE : 0), 1);
    by_cr3 = 1;
    for (u32 i = 0; i < COUNT(cr3); i++) run_group("cr3", &cr3[i], run_one, SETTINGS, 1);
    by_cr3 = 0;
    u32 wrong = 0;
#if MODE != 64
    run_own_section();
    wrong = own_total;
#endif
    everything.name = "total";
    put_group(&everything);
    if (option("cycles")) put("| cycles %U\n", read_tsc() - start);
    for (u32 why = 0; why < WRONGS; why++) wrong += everything.wrong[why];
    finish(wrong ? EXIT_WRONG : EXIT_RIGHT);
}

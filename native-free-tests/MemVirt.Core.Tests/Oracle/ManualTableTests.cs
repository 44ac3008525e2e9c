using MemVirt.Oracle.Architecture;

namespace MemVirt.Core.Tests.Oracle;

/// <summary>
/// What the manual says of single accesses, row by row, of the literal walker and of the library alike: were both wrong in the same way,
/// their comparison would not show it. A page of four-level paging with protection key 1; the code is the page fault's, or none.
/// </summary>
public sealed class ManualTableTests : IDisposable
{
    private const int None = -1;
    private const ulong Linear = 0x40_2345;
    private readonly EngineUnderTest _engine = new();
    private readonly LiteralMemory _memory = new(CaseGenerator.Frames);

    /// <summary>Registers; what the leaf has (U, W, X, D) and what the entry above lacks (-U, -W, -X); the access; the code.</summary>
    public static TheoryData<string, string, string, int, string> Rows => new()
    {
        { "WP NXE", "U W X", "r u", None, "§4.6.1 user reads" },
        { "WP NXE", "U W X", "w u", None, "§4.6.1 user writes" },
        { "WP NXE", "U W X", "x u", None, "§4.6.1 user fetches" },
        { "WP NXE", "U", "w u", 0x7, "§4.6.1 user write, R/W=0; §4.7 P W U" },
        { "WP NXE", "U W", "x u", 0x15, "§4.6.1 user fetch, XD=1; §4.7 P U I" },
        { "WP NXE", "W X", "r u", 0x5, "§4.6.1 user read of a supervisor page" },
        { "WP NXE", "W X", "w u", 0x7, "§4.6.1 user write of a supervisor page" },
        { "WP NXE", "W X", "x u", 0x15, "§4.6.1 user fetch from a supervisor page" },
        { "WP NXE", "U W X -U", "r u", 0x5, "§4.6 U/S=0 above makes it a supervisor page" },
        { "WP NXE", "U W X -W", "w u", 0x7, "§4.6.1 R/W=0 above" },
        { "WP NXE", "U W X -X", "x u", 0x15, "§4.6.1 XD=1 above" },
        { "WP NXE", "W X", "r s", None, "§4.6.1 supervisor reads" },
        { "WP NXE", "X", "w s", 0x3, "§4.6.1 supervisor write, WP=1" },
        { "NXE", "X", "w s", None, "§4.6.1 supervisor write, WP=0" },
        { "NXE", "U X", "w u", 0x7, "§4.6.1 WP does not matter in user mode" },
        { "NXE", "U X", "w s", None, "§4.6.1 supervisor write to a user page, WP=0" },
        { "WP NXE", "W", "x s", 0x11, "§4.6.1 supervisor fetch, XD=1" },
        { "WP NXE", "U W X", "x s", None, "§4.6.1 supervisor fetch from a user page, SMEP=0" },
        { "WP NXE SMEP", "U W X", "x s", 0x11, "§4.6.1 SMEP" },
        { "WP SMEP", "U W X", "x s", 0x11, "§4.7 I/D with SMEP though NXE=0" },
        { "WP NXE SMEP", "W X", "x s", None, "§4.6.1 SMEP leaves supervisor pages" },
        { "WP NXE SMEP", "U W X", "x u", None, "§4.6.1 SMEP leaves user mode" },
        { "WP NXE SMEP", "U W X", "r s", None, "§4.6.1 SMEP leaves data" },
        { "WP NXE SMAP", "U W X", "r s", 0x1, "§4.6.1 SMAP, AC=0" },
        { "WP NXE SMAP", "U W X", "w s", 0x3, "§4.6.1 SMAP, AC=0" },
        { "WP NXE SMAP", "U W X", "r s ac", None, "§4.6.1 SMAP, AC=1" },
        { "WP NXE SMAP", "U W X", "w s ac", None, "§4.6.1 SMAP, AC=1" },
        { "WP NXE SMAP", "U X", "w s ac", 0x3, "§4.6.1 AC does not lift WP" },
        { "WP NXE SMAP", "U W X", "x s", None, "§4.6.1 SMAP leaves fetches" },
        { "WP NXE SMAP", "W X", "r s", None, "§4.6.1 SMAP leaves supervisor pages" },
        { "WP NXE SMAP", "U W X", "r implicit ac", 0x1, "§4.6.1 AC does not help implicit accesses" },
        { "WP NXE", "W X", "r implicit", None, "§4.6 an implicit access at CPL 3 is a supervisor access" },
        { "NXE SMAP", "U X", "w s", 0x3, "§4.6.1 WP=0 does not lift SMAP" },
        { "WP NXE PKE AD", "U W X", "r u", 0x25, "§4.6.2 ADi; §4.7 PK" },
        { "WP NXE PKE AD", "U W X", "w u", 0x27, "§4.6.2 ADi" },
        { "WP NXE PKE AD", "U W X", "r s", 0x21, "§4.6.2 ADi binds supervisor mode too" },
        { "WP NXE PKE AD", "U W X", "x u", None, "§4.6.2 keys leave fetches" },
        { "WP NXE PKE AD", "W X", "r s", None, "§4.6.2 PKRU leaves supervisor pages" },
        { "WP NXE PKE WD", "U W X", "r u", None, "§4.6.2 WDi leaves reads" },
        { "WP NXE PKE WD", "U W X", "w u", 0x27, "§4.6.2 WDi in user mode" },
        { "WP NXE PKE WD", "U W X", "w s", 0x23, "§4.6.2 WDi in supervisor mode, WP=1" },
        { "NXE PKE WD", "U W X", "w s", None, "§4.6.2 WDi in supervisor mode, WP=0" },
        { "NXE PKE WD", "U W X", "w u", 0x27, "§4.6.2 WDi in user mode whatever WP" },
        { "WP NXE AD", "U W X", "r u", None, "§4.6.2 PKRU without CR4.PKE" },
        { "WP NXE PKE AD", "U X", "w u", 0x27, "§4.7 PK beside R/W" },
        { "WP NXE PKS SAD", "W X", "r s", 0x21, "§4.6.2 IA32_PKRS, ADi" },
        { "WP NXE PKS SAD", "U W X", "r s", None, "§4.6.2 IA32_PKRS leaves user pages" },
        { "WP NXE PKS SWD", "W X", "w s", 0x23, "§4.6.2 IA32_PKRS, WDi, WP=1" },
        { "NXE PKS SWD", "W X", "w s", None, "§4.6.2 IA32_PKRS, WDi, WP=0" },
        { "WP NXE", "absent", "r u", 0x4, "§4.7 P=0" },
        { "WP NXE", "absent", "w s", 0x2, "§4.7 P=0, write" },
        { "WP NXE", "absent", "x u", 0x14, "§4.7 P=0, fetch" },
        { "WP", "absent", "x u", 0x4, "§4.7 I/D neither with NXE nor with SMEP" },
        { "WP", "U W", "r u", 0xD, "§4.5 XD is reserved without NXE; §4.7 RSVD with P" },
        { "WP NXE PKE AD", "U W X reserved", "r u", 0xD, "§4.7 a reserved bit, no PK" },
        { "WP NXE CET", "U D X", "r u ss", None, "§4.6 a user shadow-stack page" },
        { "WP NXE CET", "U D X", "w u ss", None, "§4.6 shadow-stack write" },
        { "WP NXE CET", "U W D X", "w u ss", 0x47, "§4.6 R/W=1 is no shadow-stack page; §4.7 SS" },
        { "WP NXE CET", "U X", "r u ss", 0x45, "§4.6 D=0 is no shadow-stack page" },
        { "WP NXE CET", "U D X -W", "r u ss", 0x45, "§4.6 R/W=0 above is no shadow-stack page" },
        { "WP NXE CET", "U D X", "r s ss", 0x41, "§4.6 a supervisor shadow-stack access of a user page" },
        { "WP NXE CET", "D X", "r s ss", None, "§4.6 a supervisor shadow-stack page" },
        { "WP NXE CET", "U D X", "w u", 0x7, "§4.6 an ordinary write to a shadow-stack page" },
        { "WP NXE CET", "absent", "w u ss", 0x46, "§4.7 SS with P=0" },
    };

    [Theory]
    [MemberData(nameof(Rows))]
    public void A_single_access(string registers, string page, string access, int expected, string section)
    {
        LiteralInput input = Input(registers.Split(' '), access.Split(' '));
        foreach ((ulong address, ulong entry) in Entries(page.Split(' ')))
        {
            _memory.Write(address, entry);
            _engine.Memory.Write(address, entry);
        }

        LiteralOutcome literal = new LiteralGuest(_memory, new LiteralSecondStage(_memory)).Translate(in input);
        LiteralOutcome engine = _engine.Translate(in input, default);
        Assert.True(expected == CodeOf(literal), $"{section}: the literal walker says 0x{CodeOf(literal):x}");
        Assert.True(expected == CodeOf(engine), $"{section}: the library says 0x{CodeOf(engine):x}");
    }

    public void Dispose() => _engine.Dispose();

    private static int CodeOf(LiteralOutcome outcome) => outcome.Kind == LiteralKind.Ok ? None : (int)outcome.Code;

    private static LiteralInput Input(string[] registers, string[] access)
    {
        ulong Bit(string name, int bit) => registers.Contains(name) ? 1UL << bit : 0;
        return new LiteralInput
        {
            Cr0 = 1 | (1UL << 31) | Bit("WP", 16),
            Cr3 = 0x1000,
            Cr4 = (1 << 5) | Bit("SMEP", 20) | Bit("SMAP", 21) | Bit("PKE", 22) | Bit("CET", 23) | Bit("PKS", 24),
            Efer = (1 << 8) | (1 << 10) | Bit("NXE", 11),
            Pkru = (uint)(Bit("AD", 2) | Bit("WD", 3)),
            Pkrs = (uint)(Bit("SAD", 2) | Bit("SWD", 3)),
            MaxPhysical = 46,
            Pages1G = true,
            Pse36 = true,
            Access = access[0] switch { "r" => LiteralAccess.Read, "w" => LiteralAccess.Write, _ => LiteralAccess.Fetch },
            Cpl = access[1] == "s" ? 0 : 3,
            ImplicitSupervisor = access[1] == "implicit",
            Ac = access.Contains("ac"),
            ShadowStack = access.Contains("ss"),
            Linear = Linear,
        };
    }

    private static (ulong Address, ulong Entry)[] Entries(string[] page)
    {
        ulong Without(string name, ulong bit) => page.Contains(name) ? 0 : bit;
        ulong With(string name, ulong bit) => page.Contains(name) ? bit : 0;
        ulong leaf = 0x5000 | Without("absent", 1) | With("U", 4) | With("W", 2) | With("D", 0x40) | With("reserved", 1UL << 50)
                     | (1UL << 59) | Without("X", Without("absent", 1UL << 63));
        ulong above = 0x4001 | Without("-U", 4) | Without("-W", 2) | With("-X", 1UL << 63);
        return [(0x1000, 0x2007), (0x2000, 0x3007), (0x3000 + (2 * 8), above), (0x4000 + (2 * 8), leaf)];
    }
}

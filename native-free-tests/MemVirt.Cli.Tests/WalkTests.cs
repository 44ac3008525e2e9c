using System.Text.Json;

namespace MemVirt.Cli.Tests;

/// <summary><c>memvirt walk</c> on tables made by options: the text, the counts, and faults against the manuals' bits.</summary>
public sealed class WalkTests
{
    private const ulong Present = 1, Write = 2, User = 4, Reserved = 8, Fetch = 16;
    private const ulong Final = 1UL << 32, Table = 1UL << 33;

    [Fact]
    public void A_table_wider_than_the_terminal_is_not_broken()
    {
        string[] lines = Cli.Run("walk", "--regimes", "ept", "--set", "ept.pte.reserved").Output.Split('\n');
        string heading = Assert.Single(lines, line => line.TrimStart().StartsWith("#  reads", StringComparison.Ordinal));
        Assert.EndsWith("served by", heading, StringComparison.Ordinal);
        Assert.All(lines.Where(line => line.StartsWith('─')), rule => Assert.True(rule.Length >= heading.Length, rule));
    }

    [Fact]
    public void Four_references_as_text()
    {
        CliOutcome outcome = Cli.Run("walk", "--regimes", "native", "--access", "store", "--clear", "guest.pte.dirty");
        Assert.Equal((0, ""), (outcome.ExitCode, outcome.Error));
        Assert.Equal(
            """
            A store at 0x7f5a12345678, 4k guest pages on 4k host pages, on teaching, every
            cache empty.
            Changed in the tables first: guest.pte.dirty cleared.

            native: 4 references, 56 cycles, to host-physical 0x104678 in a 4k page
            ──────────────────────────────────────────────────────────────────────
              #  reads        at host   entry     bits       leads to    served by
            ──────────────────────────────────────────────────────────────────────
              1  guest PML4E  0x1007f0  0x101027  P W U A    guest PDPT  14
              2  guest PDPTE  0x101b40  0x102027  P W U A    guest PD    14
              3  guest PDE    0x102488  0x103027  P W U A    guest PT    14
              4  guest PTE    0x103a28  0x104027  P W U A -  host page   14
            ──────────────────────────────────────────────────────────────────────
              The walk then sets D in the guest PTE.
            The same walk right after: 4 references, 56 cycles.
            Why nothing cheaper: every cache was empty; this machine has no walk caches, so
            all 4 references had to be made.
            The first touch cost 1 guest page fault.

            P present, W writable, U user, A accessed.

            """.ReplaceLineEndings("\n"),
            outcome.Output.ReplaceLineEndings("\n"));
    }

    [Fact]
    public void A_write_protected_page_table_under_EPT_as_text()
    {
        string text = Cli.Run("walk", "--regimes", "ept", "--clear", "ept.pte.write@pt").Output.ReplaceLineEndings("\n");
        Assert.Contains("ept: 19 references, then EPT violation, exit qualification 0xab\n", text, StringComparison.Ordinal);
        Assert.Contains("  19  EPT PTE      0x103818  0x107335  R - X A D WB  guest PT    14\n", text, StringComparison.Ordinal);
        Assert.EndsWith(
            """
              EPT violation: VM exit with reason 48.
                exit qualification 0xab: read=1 a data read; write=1 a data write; fetch=0
                no fetch; R=1 its entries allow reads; W=0 they do not allow writes; X=1
                they allow fetches; UX=0 mode-based execute control is off; GLA valid=1 the
                guest-linear address is valid; final=0 met a paging-structure entry of the
                guest's
                guest-linear address 0x7f5a12345678
                guest-physical address 0x103a28
            Why nothing cheaper: every cache was empty, and only the last entry read tells
            that the access faults.
            The first touch cost 1 guest page fault, 5 EPT violations, 5 exits.

            R readable, W writable, X executable, A accessed, UX executable at user-mode
            addresses, D dirty, WB memory type write-back, P present, U user.

            """.ReplaceLineEndings("\n"),
            text,
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("4k", "4k", 4, 4, 24)]
    [InlineData("2m", "4k", 3, 4, 19)]
    [InlineData("4k", "2m", 4, 4, 19)]
    [InlineData("2m", "2m", 3, 3, 15)]
    [InlineData("1g", "1g", 2, 2, 8)]
    [InlineData("1g", "4k", 2, 4, 14)]
    [InlineData("4k", "1g", 4, 4, 14)]
    [InlineData("1g", "2m", 2, 3, 11)]
    [InlineData("2m", "1g", 3, 3, 11)]
    public void Without_caches_every_reference_is_made(string guestPages, string hostPages, int native, int shadow, int nested)
    {
        JsonElement[] regimes = Regimes("--guest-pages", guestPages, "--host-pages", hostPages);
        Assert.Equal([native, shadow, nested, nested], regimes.Select(regime => LastWalk(regime).GetProperty("reads").GetInt32()));
        Assert.All(regimes, regime => Assert.Equal(
            LastWalk(regime).GetProperty("reads").GetInt32() * 14.0, LastWalk(regime).GetProperty("cycles").GetDouble()));
    }

    [Fact]
    public void Walk_caches_serve_the_same_walk_right_after()
    {
        JsonElement[] regimes = Regimes("--machine", "skylake");
        int[] reads = [.. regimes.Select(regime => Translation(regime).GetProperty("again").GetProperty("reads").GetInt32())];

        // The PDE cache has where the page table lies, and the nested TLB the page: the leaf alone is read.
        Assert.Equal([1, 1, 1, 1], reads);
        Assert.Equal(
            ["PDE cache", "nested TLB"],
            Translation(regimes[2]).GetProperty("again").GetProperty("cacheHits").EnumerateArray().Select(hit => hit.GetProperty("cache").GetString()));
    }

    [Fact]
    public void A_large_host_page_lets_the_nested_TLB_serve_within_one_walk()
    {
        JsonElement walk = LastWalk(Regimes("--machine", "zen4", "--host-pages", "2m", "--regimes", "npt")[0]);
        JsonElement[] lines = [.. walk.GetProperty("references").EnumerateArray()];
        Assert.Equal(19, lines.Length);
        Assert.Equal(Enumerable.Range(1, 19), lines.Select(line => line.GetProperty("number").GetInt32()));
        JsonElement[] spared = [.. lines.Where(line => !line.GetProperty("read").GetBoolean())];
        Assert.Equal(walk.GetProperty("skipped").GetInt32(), spared.Length);
        Assert.All(spared, line => Assert.Equal(("nested TLB", 0.0), (line.GetProperty("by").GetString(), line.GetProperty("cycles").GetDouble())));

        // The guest's tables and page all lie in one page of 2 MiB: after the root's, no second-stage entry is read.
        Assert.Equal(12, spared.Length);
    }

    [Theory]
    [InlineData("--clear guest.pte.present", User)]
    [InlineData("--clear guest.pml4e.present --access store", User | Write)]
    [InlineData("--clear guest.pde.present --access fetch", User | Fetch)]
    [InlineData("--clear guest.pte.present --supervisor", 0)]
    [InlineData("--clear guest.pte.write --access store", Present | Write | User)]
    [InlineData("--clear guest.pdpte.write --access store", Present | Write | User)]
    [InlineData("--clear guest.pte.write --access store --supervisor", Present | Write)]
    [InlineData("--clear guest.pte.user", Present | User)]
    [InlineData("--set guest.pte.xd --access fetch", Present | User | Fetch)]
    [InlineData("--set guest.pde.nx --access fetch --supervisor", Present | Fetch)]
    [InlineData("--set guest.pte.reserved", Present | User | Reserved)]
    [InlineData("--set guest.pml4e.ps", Present | User | Reserved)]
    [InlineData("--set guest.pde.bit51 --access store", Present | User | Write | Reserved)]
    [InlineData("--set guest.pte.bit40 --physical-bits 40", Present | User | Reserved)]
    [InlineData("--set guest.pte.xd --clear efer.nxe", Present | User | Reserved)]
    [InlineData("--guest-pages 2m --set guest.pde.bit13", Present | User | Reserved)]
    [InlineData("--set cr4.smep --access fetch --supervisor", Present | Fetch)]
    [InlineData("--set cr4.smap --supervisor", Present)]
    public void A_page_fault_has_the_error_code_of_the_manual_under_every_regime(string options, ulong code)
    {
        foreach (JsonElement regime in Regimes(options.Split(' ')))
        {
            JsonElement attempt = Translation(regime).GetProperty("attempts").EnumerateArray().Last();
            bool isInjected = attempt.TryGetProperty("injected", out JsonElement injected);
            Assert.Equal(regime.GetProperty("regime").GetString() == "shadow", isInjected);
            JsonElement fault = isInjected ? injected : attempt.GetProperty("walk").GetProperty("fault");
            Assert.Equal("#PF", fault.GetProperty("name").GetString());
            Assert.Equal(code, Field(fault, "error code"));
            Assert.Equal(0x7f5a12345678UL, Field(fault, "CR2"));
            BitsAgree(fault.GetProperty("fields")[0], code);
        }
    }

    [Theory]
    [InlineData("--clear guest.pte.write --clear cr0.wp --access store --supervisor")]
    [InlineData("--set cr4.smap --set eflags.ac --supervisor")]
    [InlineData("--set cr4.smap,cr4.smep")]
    [InlineData("--set guest.pte.bit46 --physical-bits 52 --regimes native")]
    public void What_the_registers_allow_does_not_fault(string options)
        => Assert.All(Regimes(options.Split(' ')), regime => Assert.False(LastWalk(regime).TryGetProperty("fault", out _)));

    [Fact]
    public void With_SMAP_and_without_CR0_WP_shadow_paging_is_left_out_with_a_word()
    {
        CliOutcome outcome = Cli.Run("walk", "--clear", "cr0.wp", "--set", "cr4.smap");
        Assert.Contains("shadow is left out: the shadow pager does not follow CR4.SMAP with CR0.WP clear", outcome.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("shadow:", outcome.Output, StringComparison.Ordinal);
    }

    // Bits of the exit qualification: 0 read, 1 write, 2 fetch; 3 to 5 what is allowed; 7 the linear address is valid; 8 its own
    // translation; 9 user address, 10 writable, 11 execute-disabled.
    [Theory]
    [InlineData("--clear ept.pte.present", 0b0111_1000_0001, 0x104678)]
    [InlineData("--clear ept.pte.write --access store", 0b0111_1010_1010, 0x104678)]
    [InlineData("--clear ept.pte.execute --access fetch", 0b0111_1001_1100, 0x104678)]
    [InlineData("--clear ept.pte.execute --set guest.pte.xd --clear ept.pte.read,ept.pte.write", 0b1111_1000_0001, 0x104678)]
    [InlineData("--clear ept.pte.present@pt", 0b1000_0011, 0x103a28)]
    [InlineData("--clear ept.pte.write@pd", 0b1010_1011, 0x102488)]
    [InlineData("--clear ept.pml4e.write", 0b1010_1011, 0x1007f0)]
    public void An_EPT_violation_has_the_exit_qualification_of_the_manual(string options, ulong qualification, ulong guestPhysical)
    {
        JsonElement fault = LastWalk(Regimes([.. options.Split(' '), "--regimes", "ept"])[0]).GetProperty("fault");
        Assert.Equal("EPT violation", fault.GetProperty("name").GetString());
        Assert.Equal(qualification, Field(fault, "exit qualification"));
        Assert.Equal(0x7f5a12345678UL, Field(fault, "guest-linear address"));
        Assert.Equal(guestPhysical, Field(fault, "guest-physical address"));
        BitsAgree(fault.GetProperty("fields")[0], qualification);
    }

    [Theory]
    [InlineData("--clear ept.pte.read", 0x104678)]
    [InlineData("--set ept.pte.reserved", 0x104678)]
    [InlineData("--set ept.pml4e.bit7", 0x1007f0)]
    [InlineData("--set ept.pde.bit3", 0x1007f0)]
    [InlineData("--set ept.pte.bit3", 0x104678)]
    public void An_EPT_misconfiguration_is_told_from_a_violation(string options, ulong guestPhysical)
    {
        JsonElement fault = LastWalk(Regimes([.. options.Split(' '), "--regimes", "ept"])[0]).GetProperty("fault");
        Assert.Equal("EPT misconfiguration", fault.GetProperty("name").GetString());
        Assert.Equal(guestPhysical, Field(fault, "guest-physical address"));
    }

    [Theory]
    [InlineData("--clear npt.pte.present", Final | User, 0x104678)]
    [InlineData("--clear npt.pte.present --access store --supervisor", Final | User | Write, 0x104678)]
    [InlineData("--clear npt.pte.write --access store", Final | User | Write | Present, 0x104678)]
    [InlineData("--set npt.pte.xd --access fetch", Final | User | Present | Fetch, 0x104678)]
    [InlineData("--clear npt.pte.user", Final | User | Present, 0x104678)]
    [InlineData("--set npt.pte.reserved", Final | User | Present | Reserved, 0x104678)]
    [InlineData("--clear npt.pte.write@pml4", Table | User | Write | Present, 0x1007f0)]
    [InlineData("--clear npt.pde.present", Table | User | Write, 0x1007f0)]
    [InlineData("--set npt.pml4e.bit8", Table | User | Write | Present | Reserved, 0x1007f0)]
    public void A_nested_page_fault_has_the_EXITINFO_of_the_manual(string options, ulong exitInfo1, ulong exitInfo2)
    {
        JsonElement fault = LastWalk(Regimes([.. options.Split(' '), "--regimes", "npt"])[0]).GetProperty("fault");
        Assert.Equal("nested page fault", fault.GetProperty("name").GetString());
        Assert.Equal(exitInfo1, Field(fault, "EXITINFO1"));
        Assert.Equal(exitInfo2, Field(fault, "EXITINFO2"));
        BitsAgree(fault.GetProperty("fields")[0], exitInfo1);
    }

    [Fact]
    public void Shadow_paging_mends_what_the_guest_allows_and_reflects_what_it_forbids()
    {
        JsonElement[] attempts = [.. Translation(Regimes("--regimes", "shadow", "--access", "store", "--clear", "guest.pte.dirty")[0])
            .GetProperty("attempts").EnumerateArray()];
        Assert.Equal(2, attempts.Length);
        Assert.StartsWith("the guest's own tables allow it", attempts[0].GetProperty("then").GetString(), StringComparison.Ordinal);
        Assert.False(attempts[1].GetProperty("walk").TryGetProperty("fault", out _));
        string text = Cli.Run("walk", "--regimes", "shadow", "--clear", "guest.pte.user").Output;
        Assert.Contains("#PF injected: the VMM reflects it", text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_change_to_one_second_stage_leaves_the_other_regimes_alone()
    {
        JsonElement[] regimes = Regimes("--clear", "ept.pte.present");
        Assert.Equal([false, false, true, false], regimes.Select(regime => LastWalk(regime).TryGetProperty("fault", out _)));
    }

    [Fact]
    public void An_entry_is_told_in_words()
    {
        JsonElement[] regimes = Regimes("--set", "guest.pte.global,guest.pte.pcd,guest.pte.pwt,guest.pte.pat,guest.pte.xd,guest.pte.bit59,guest.pte.bit61,"
            + "ept.pte.ipat,ept.pte.sve,ept.pte.ux");
        JsonElement guest = LastWalk(regimes[0]).GetProperty("references")[3];
        Assert.Equal("P W U A - G PAT PCD PWT key 5 XD", guest.GetProperty("bits").GetString());
        Assert.Equal(
            "present, writable, user, accessed, not dirty, global, PAT, upper half of the PAT's types, cache disable, write-through, protection key 5, execute disable",
            string.Join(", ", guest.GetProperty("words").EnumerateArray().Select(word => word.GetString())));
        JsonElement ept = LastWalk(regimes[2]).GetProperty("references")[23];
        Assert.Equal("R W X A D WB IPAT UX SVE", ept.GetProperty("bits").GetString());
    }

    private static JsonElement[] Regimes(params string[] options)
    {
        CliOutcome outcome = Cli.Run(["walk", "--json", "-", .. options]);
        Assert.Equal((0, ""), (outcome.ExitCode, outcome.Error));
        return [.. JsonDocument.Parse(outcome.Output).RootElement.GetProperty("regimes").EnumerateArray()];
    }

    private static JsonElement Translation(JsonElement regime) => Assert.Single(regime.GetProperty("translations").EnumerateArray());

    private static JsonElement LastWalk(JsonElement regime)
        => Translation(regime).GetProperty("attempts").EnumerateArray().Last().GetProperty("walk");

    private static ulong Field(JsonElement fault, string name)
        => Convert.ToUInt64(
            fault.GetProperty("fields").EnumerateArray().Single(field => field.GetProperty("name").GetString() == name).GetProperty("value").GetString(), 16);

    /// <summary>Every bit that is set is told, and none that is not.</summary>
    private static void BitsAgree(JsonElement field, ulong code)
    {
        ulong told = 0;
        foreach (JsonElement bit in field.GetProperty("bits").EnumerateArray())
        {
            told |= (ulong)bit.GetProperty("value").GetInt32() << bit.GetProperty("bit").GetInt32();
        }

        Assert.Equal(code, told);
    }
}

using System.Text;
using MemVirt.Oracle.Architecture;

namespace MemVirt.Core.Tests.Oracle;

/// <summary>One access: registers, second stage, the entries in memory before it.</summary>
internal sealed record ArchitectureCase(LiteralInput Input, LiteralStageInput Stage, (ulong Address, ulong Entry)[] Entries)
{
    public override string ToString()
    {
        var text = new StringBuilder();
        text.AppendLine($"{Input.Access} of 0x{Input.Linear:x} at CPL {Input.Cpl}, AC {Input.Ac}, shadow stack {Input.ShadowStack}, "
                        + $"implicit {Input.ImplicitSupervisor}");
        text.AppendLine($"CR0 0x{Input.Cr0:x} CR3 0x{Input.Cr3:x} CR4 0x{Input.Cr4:x} EFER 0x{Input.Efer:x} PKRU 0x{Input.Pkru:x} "
                        + $"PKRS 0x{Input.Pkrs:x} PDPTEs 0x{Input.Pdpte0:x} 0x{Input.Pdpte1:x} 0x{Input.Pdpte2:x} 0x{Input.Pdpte3:x}");
        text.AppendLine($"AMD {Input.Amd}, MAXPHYADDR {Input.MaxPhysical}, 1G {Input.Pages1G}, PSE-36 {Input.Pse36}");
        text.AppendLine(Stage.ToString());
        foreach ((ulong address, ulong entry) in Entries)
        {
            text.AppendLine($"  [0x{address:x}] = 0x{entry:x}");
        }

        return text.ToString();
    }

    /// <summary>Cases with something less: an entry dropped, a bit of an entry or register cleared, the second stage's options off.</summary>
    internal IEnumerable<ArchitectureCase> Smaller()
    {
        for (int i = 0; i < Entries.Length; i++)
        {
            yield return this with { Entries = [.. Entries[..i], .. Entries[(i + 1)..]] };
        }

        for (int i = 0; i < Entries.Length; i++)
        {
            for (int bit = 63; bit >= 0; bit--)
            {
                if ((Entries[i].Entry & (1UL << bit)) != 0)
                {
                    var entries = ((ulong Address, ulong Entry)[])Entries.Clone();
                    entries[i].Entry &= ~(1UL << bit);
                    yield return this with { Entries = entries };
                }
            }
        }

        for (int bit = 0; bit < 32; bit++)
        {
            ulong clear = ~(1UL << bit);
            yield return this with { Input = Input with { Cr4 = Input.Cr4 & clear } };
            yield return this with { Input = Input with { Cr0 = Input.Cr0 & clear } };
            yield return this with { Input = Input with { Efer = Input.Efer & clear } };
            yield return this with { Input = Input with { Pkru = Input.Pkru & (uint)clear } };
            yield return this with { Input = Input with { Pkrs = Input.Pkrs & (uint)clear } };
        }

        yield return this with { Input = Input with { ShadowStack = false } };
        yield return this with { Input = Input with { ImplicitSupervisor = false } };
        yield return this with { Input = Input with { Ac = false } };
        yield return this with { Stage = Stage with { PmlOn = false } };
        yield return this with { Stage = default };
    }
}

using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Faults;
using MemVirt.Core.Formats;
using MemVirt.Core.Invalidation;
using MemVirt.Core.Tests.Tlb;
using MemVirt.Core.Tests.Walking;

namespace MemVirt.Core.Tests.Mmus;

/// <summary>Random edits, each followed by the invalidation it needs: the MMU must answer as a list of mappings does.</summary>
public class RandomEditsTests
{
    private const int Seeds = 60;
    private const int Steps = 400;
    private const ulong Base = 0x7F12_4000_0000;
    private const ulong Data = NestedTestbed<EptFormat>.Data;
    private const ulong LargeBytes = 1UL << 21;

    [Fact]
    public void Native_answers_are_those_of_the_mappings() => Run(() => new NativeBed());

    [Fact]
    public void Ept_answers_are_those_of_the_mappings() => Run(() => new NestedBed<EptFormat>());

    [Fact]
    public void Npt_answers_are_those_of_the_mappings() => Run(() => new NestedBed<NptFormat>());

    [Fact]
    public void Shadow_answers_are_those_of_the_mappings() => Run(() => new ShadowBed());

    private static void Run(Func<IMmuBed> make)
    {
        for (ulong seed = 1; seed <= Seeds; seed++)
        {
            using IMmuBed bed = make();
            RunOne(bed, seed);
        }
    }

    private static void RunOne(IMmuBed bed, ulong seed)
    {
        var random = new SplitMix(seed);
        var context = default(PagingContext);

        // Four regions of 2 MiB: two of 4K pages, two that are a large page or nothing. Of each, sixteen 4K pieces are used.
        var mapped = new (ulong Page, AccessRights Rights)?[4 * 16];
        for (int step = 0; step < Steps; step++)
        {
            if (random.Chance(15))
            {
                context = new PagingContext((ushort)random.Below(2), (ushort)random.Below(3), random.Chance(50));
                bed.Switch(context);
            }
            else if (random.Chance(25))
            {
                Edit(bed, random, mapped);
            }
            else
            {
                Check(bed, random, mapped, context, $"seed {seed}, step {step}");
            }
        }
    }

    private static void Edit(IMmuBed bed, SplitMix random, (ulong Page, AccessRights Rights)?[] mapped)
    {
        int region = random.Below(4);
        bool large = region >= 2;
        int piece = large ? 0 : random.Below(16);
        ulong address = Base + ((ulong)region * LargeBytes) + ((ulong)piece << 12);
        AccessRights rights = AccessRights.Read | (AccessRights)(random.Below(8) << 1);
        ulong page = large ? Data + (LargeBytes * (ulong)random.Below(2)) : Data + ((ulong)random.Below(1024) << 12);
        bool unmap = random.Chance(25);
        ulong entry = bed.Map(address, page, large ? PageSize.Size2M : PageSize.Size4K, rights, dirty: random.Chance(50));
        if (unmap)
        {
            bed.Write(entry, 0, large ? 1 : 0);
        }

        for (int i = 0; i < (large ? 16 : 1); i++)
        {
            mapped[(region * 16) + piece + i] = unmap ? null : (page + ((ulong)i << 12), rights);
        }

        Invalidate(bed, random, address + (large ? (ulong)random.Below(512) << 12 : 0));
    }

    private static void Invalidate(IMmuBed bed, SplitMix random, ulong address)
    {
        int scope = random.Below(4);
        if (scope == 0)
        {
            bed.Invalidate(TlbInvalidation.All);
            return;
        }

        for (ushort processor = 0; processor < 2; processor++)
        {
            for (ushort process = 0; process < 3; process++)
            {
                bed.Invalidate(scope switch
                {
                    1 => TlbInvalidation.OfAddress(processor, process, GuestVirtualAddress.Create(address)),
                    2 => TlbInvalidation.OfContext(processor, process),
                    _ => TlbInvalidation.OfVirtualProcessor(processor),
                });
            }
        }
    }

    private static void Check(
        IMmuBed bed, SplitMix random, (ulong Page, AccessRights Rights)?[] mapped, PagingContext context, string seed)
    {
        int place = random.Below(mapped.Length);
        ulong offset = random.Next() & 0xFFF;
        ulong address = Base + ((ulong)(place / 16) * LargeBytes) + ((ulong)(place % 16) << 12) + offset;
        MemoryAccess access = random.Below(3) switch { 0 => MemoryAccess.Read, 1 => MemoryAccess.Write, _ => MemoryAccess.Fetch };
        AccessRights needed = (AccessRights)access | (context.User ? AccessRights.User : AccessRights.None);
        TranslationStatus expected = mapped[place] is not { } mapping ? TranslationStatus.GuestNotPresent
            : (needed & ~mapping.Rights) != 0 ? TranslationStatus.GuestProtection : TranslationStatus.Ok;
        (TranslationStatus status, ulong hpa) = bed.Translate(address, access);
        string what = $"{seed}: {access} of 0x{address:x} in {context}";
        Assert.True(expected == status, $"{what}: {expected} expected, {status} found");
        if (status == TranslationStatus.Ok)
        {
            ulong page = mapped[place]!.Value.Page + bed.Offset + offset;
            Assert.True(page == hpa, $"{what}: 0x{page:x} expected, 0x{hpa:x} found");
        }
    }
}

using CsCheck;
using MemVirt.Core.Tlb;

namespace MemVirt.Core.Tests.Tlb;

public class TagArrayModelTests
{
    private const ulong Seed = 42;

    /// <summary>Kind 0–9; number; payload.</summary>
    private static readonly Gen<(int Kind, ulong Number, ulong Payload)[]> Operations =
        Gen.Select(Gen.Int[0, 99], Gen.ULong[1, 60], Gen.ULong).Array[1, 150];

    public static TheoryData<Replacement, int, int, bool> Shapes()
    {
        var shapes = new TheoryData<Replacement, int, int, bool>();
        foreach (Replacement replacement in Enum.GetValues<Replacement>())
        {
            foreach ((int sets, int ways) in new[] { (1, 1), (1, 4), (4, 1), (4, 3), (3, 4), (8, 8), (1, 64), (5, 12), (2, 70) })
            {
                shapes.Add(replacement, sets, ways, false);
                if (int.IsPow2(sets))
                {
                    shapes.Add(replacement, sets, ways, true);
                }
            }
        }

        return shapes;
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Does_what_the_naive_model_does(Replacement replacement, int sets, int ways, bool xor)
        => Operations.Sample(
            operations => Agree(operations, replacement, sets, ways, xor), iter: 300);

    [Fact]
    public void The_generator_gives_the_published_values_of_splitmix64()
    {
        var random = new SplitMix(0);
        Assert.Equal(0xE220A8397B1DCDAFUL, random.Next());
        Assert.Equal(0x6E789E6AA1B965F4UL, random.Next());
        Assert.Equal(0x06C45D188009454FUL, random.Next());
        Assert.Equal(0xF88BB8A8724C81ECUL, random.Next());
    }

    [Fact]
    public void Random_replacement_draws_splitmix64_modulo_ways_only_when_the_set_is_full()
    {
        const int ways = 97;
        ulong[] published = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F, 0xF88BB8A8724C81EC];
        var array = new TagArray(new SetGeometry(ways, ways), Replacement.Random, seed: 0);
        for (ulong tag = 1; tag <= ways; tag++)
        {
            Assert.Equal(0UL, array.Insert(tag, 0, tag));
        }

        for (int draw = 0; draw < published.Length; draw++)
        {
            int way = (int)(published[draw] % ways);
            ulong victim = array.Tag(way);
            Assert.Equal(victim, array.Insert(1000 + (ulong)draw, 0, 0));
            Assert.Equal(1000 + (ulong)draw, array.Tag(way));
        }
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(8, 0)]
    [InlineData(7, 2)]
    [InlineData(2, 4)]
    public void Entries_that_cannot_be_split_into_sets_are_refused(int entries, int ways)
        => Assert.Throws<ArgumentException>(() => new SetGeometry(entries, ways));

    [Fact]
    public void An_xor_index_of_three_sets_is_refused()
        => Assert.Throws<ArgumentException>(() => new SetGeometry(12, 4, xorIndex: true));

    private static bool Agree(
        (int Kind, ulong Number, ulong Payload)[] operations, Replacement replacement, int sets, int ways, bool xor)
    {
        var array = new TagArray(new SetGeometry(sets * ways, ways, xor), replacement, Seed);
        var model = new TagArrayModel(sets, ways, xor, replacement, Seed);
        foreach ((int kind, ulong number, ulong payload) in operations)
        {
            if (!Step(array, model, kind, number, payload) || array.Count != model.Count)
            {
                return false;
            }
        }

        // Nothing more and nothing less is there at the end.
        for (ulong number = 1; number <= 60; number++)
        {
            if (array.Contains(number | (1UL << 50), number) != model.Contains(number | (1UL << 50), number))
            {
                return false;
            }
        }

        return true;
    }

    private static bool Step(TagArray array, TagArrayModel model, int kind, ulong number, ulong payload)
    {
        ulong tag = number | (1UL << 50);
        switch (kind)
        {
            case < 45:
                return array.Insert(tag, number, payload) == model.Insert(tag, number, payload);
            case < 85:
                int index = array.Find(tag, number);
                return (index < 0 ? (ulong?)null : array.Payload(index)) == model.Find(tag, number);
            case < 95:
                return array.Remove(tag, number) == model.Remove(tag, number);
            case < 98:
                array.RemoveWhere(3, payload & 3);
                model.RemoveWhere(3, payload & 3);
                return true;
            default:
                array.Clear();
                model.Clear();
                return true;
        }
    }
}

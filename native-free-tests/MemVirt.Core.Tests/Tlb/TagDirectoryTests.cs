using CsCheck;
using MemVirt.Core.Tlb;
using Xunit;

namespace MemVirt.Core.Tests.Tlb;

public class TagDirectoryTests
{
    [Theory]
    [InlineData(1, 1)]
    [InlineData(4, 3)]
    [InlineData(3, 4)]
    [InlineData(8, 8)]
    [InlineData(5, 12)]
    [InlineData(2, 16)]
    [InlineData(2, 20)]
    public void Hits_and_misses_as_an_array_that_enters_what_it_does_not_find(int sets, int ways)
        => Gen.ULong[1, 70].Array[1, 400].Sample(
            numbers =>
            {
                var geometry = new SetGeometry(sets * ways, ways);
                var directory = new TagDirectory(geometry);
                var array = new TagArrayModel(sets, ways, xor: false, Replacement.LeastRecentlyUsed, seed: 0);
                return Array.TrueForAll(numbers, number => directory.Access(number, number) == FindOrInsert(array, number));
            },
            iter: 300);

    private static bool FindOrInsert(TagArrayModel array, ulong number)
    {
        if (array.Find(number, number) is not null)
        {
            return true;
        }

        array.Insert(number, number, 0);
        return false;
    }
}
